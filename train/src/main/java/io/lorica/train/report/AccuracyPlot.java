package io.lorica.train.report;

import java.nio.file.Path;
import java.util.List;
import java.util.SequencedMap;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler;

/** Accuracy against a count, one line a method, with the intervals as bars. */
public final class AccuracyPlot {
    private AccuracyPlot() {}

    /** @param halfWidth of the interval, 0 for none */
    public record Point(double x, double accuracy, double halfWidth) {}

    /** @param lines points by the name of their line; accuracy from 0 to 1 */
    public static void write(Path png, String title, String xTitle, SequencedMap<String, List<Point>> lines) {
        XYChart chart = new XYChartBuilder()
                .width(960)
                .height(560)
                .title(title)
                .xAxisTitle(xTitle)
                .yAxisTitle("accuracy")
                .build();
        var style = chart.getStyler();
        ChartStyle.apply(style, Styler.LegendPosition.OutsideE);
        style.setXAxisDecimalPattern("#,##0");
        style.setYAxisDecimalPattern("0.00");
        lines.forEach((name, points) -> {
            XYSeries series = chart.addSeries(
                    name,
                    points.stream().mapToDouble(Point::x).toArray(),
                    points.stream().mapToDouble(Point::accuracy).toArray(),
                    points.stream().mapToDouble(Point::halfWidth).toArray());
            series.setLineWidth(2f);
        });
        LossPlot.save(png, chart);
    }
}
