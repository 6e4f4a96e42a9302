package io.lorica.train.report;

import java.awt.Color;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.HeatMapChart;
import org.knowm.xchart.HeatMapChartBuilder;

/**
 * Numbers by row and column as colours, each with its value.
 *
 * @param max number that has the darkest colour; 0 has the lightest
 */
public record HeatMap(String title, String xTitle, String yTitle, double max) {
    private static final Color[] COLOURS = {new Color(247, 251, 255), new Color(158, 202, 225), new Color(66, 146, 198)
    };

    /** @param values one list for each row, one number for each column; NaN where there is none */
    public void write(Path png, List<String> columns, List<String> rows, List<List<Double>> values) {
        HeatMapChart chart = new HeatMapChartBuilder()
                .width(Math.max(720, 90 * columns.size() + 160))
                .height(Math.max(360, 34 * rows.size() + 140))
                .title(title)
                .xAxisTitle(xTitle)
                .yAxisTitle(yTitle)
                .build();
        chart.getStyler().setChartBackgroundColor(Color.WHITE);
        chart.getStyler().setRangeColors(COLOURS);
        chart.getStyler().setMin(0);
        chart.getStyler().setMax(max);
        chart.getStyler().setXAxisTickMarkSpacingHint(1); // every row and column has its name
        chart.getStyler().setYAxisTickMarkSpacingHint(1);
        chart.getStyler().setShowValue(true);
        chart.getStyler().setHeatMapValueDecimalPattern("0.00");
        List<Number[]> cells = new ArrayList<>();
        for (int y = 0; y < rows.size(); y++) {
            for (int x = 0; x < columns.size(); x++) {
                double value = values.get(y).get(x);
                if (Double.isFinite(value)) {
                    cells.add(new Number[] {x, y, value});
                }
            }
        }
        chart.addSeries(title, columns, rows, cells);
        LossPlot.save(png, BitmapEncoder.getBufferedImage(chart));
    }
}
