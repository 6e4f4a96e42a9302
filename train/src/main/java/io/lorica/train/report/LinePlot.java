package io.lorica.train.report;

import java.nio.file.Path;
import java.util.List;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler;

/**
 * A number against another.
 *
 * @param logX whether the horizontal axis is logarithmic; likewise {@code logY}
 */
public record LinePlot(String title, String xTitle, String yTitle, boolean logX, boolean logY) {

    /** A place in the picture; on a logarithmic axis above 0. */
    public record Point(double x, double y) {}

    /** @param joined whether a line runs through the points */
    public record Line(String name, List<Point> points, boolean joined) {

        public static Line of(String name, List<Point> points) {
            return new Line(name, points, true);
        }

        public static Line dots(String name, List<Point> points) {
            return new Line(name, points, false);
        }
    }

    public void write(Path png, List<Line> lines) {
        XYChart chart = new XYChartBuilder()
                .width(960)
                .height(560)
                .title(title)
                .xAxisTitle(xTitle)
                .yAxisTitle(yTitle)
                .build();
        ChartStyle.apply(chart.getStyler(), Styler.LegendPosition.OutsideE);
        chart.getStyler().setXAxisLogarithmic(logX);
        chart.getStyler().setYAxisLogarithmic(logY);
        for (Line line : lines) {
            XYSeries series = chart.addSeries(
                    line.name,
                    line.points.stream().mapToDouble(Point::x).toArray(),
                    line.points.stream().mapToDouble(Point::y).toArray());
            series.setLineWidth(2f);
            if (!line.joined) {
                series.setXYSeriesRenderStyle(XYSeries.XYSeriesRenderStyle.Scatter);
            }
        }
        LossPlot.save(png, chart);
    }
}
