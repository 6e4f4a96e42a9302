package io.lorica.train.report;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.CategorySeries;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** {@code comparison.png}: the held-out loss of each method with its interval, and the training losses of the first seed. */
public final class ComparisonPlot {
    private static final Color INK = new Color(31, 97, 163);

    /** Letters that fit above a picture. */
    private static final int MOST_TITLE = 70;

    private ComparisonPlot() {}

    /**
     * One method.
     *
     * @param heldOut mean of the held-out losses
     * @param halfWidth of its interval; NaN where there is none, and then none is drawn
     * @param metrics of one run
     */
    public record Method(String name, double heldOut, double halfWidth, List<ObjectNode> metrics) {}

    public static void write(Path png, String title, List<Method> methods) {
        BufferedImage left = BitmapEncoder.getBufferedImage(losses(title, methods));
        BufferedImage right = BitmapEncoder.getBufferedImage(curves(methods));
        BufferedImage both = new BufferedImage(
                left.getWidth() + right.getWidth(),
                Math.max(left.getHeight(), right.getHeight()),
                BufferedImage.TYPE_INT_RGB);
        Graphics2D graphics = both.createGraphics();
        graphics.drawImage(left, 0, 0, null);
        graphics.drawImage(right, left.getWidth(), 0, null);
        graphics.dispose();
        LossPlot.save(png, both);
    }

    private static CategoryChart losses(String title, List<Method> methods) {
        CategoryChart chart = new CategoryChartBuilder()
                .width(720)
                .height(560)
                .title(title.length() > MOST_TITLE ? methods.size() + " methods" : title)
                .xAxisTitle("method")
                .yAxisTitle("held-out loss (nats per token)")
                .build();
        chart.getStyler().setDefaultSeriesRenderStyle(CategorySeries.CategorySeriesRenderStyle.Scatter);
        chart.getStyler().setXAxisLabelRotation(methods.size() > 12 ? 90 : methods.size() > 6 ? 45 : 0);
        chart.getStyler().setChartBackgroundColor(Color.WHITE);
        chart.getStyler().setXAxisTickMarkSpacingHint(1); // every method has its name
        chart.getStyler().setLegendVisible(false);
        chart.getStyler().setYAxisDecimalPattern("0.00##");
        List<Double> half = methods.stream()
                .map(method -> Double.isFinite(method.halfWidth()) ? method.halfWidth() : 0.0)
                .toList();
        CategorySeries series = chart.addSeries(
                "held-out loss",
                methods.stream().map(Method::name).toList(),
                methods.stream().map(Method::heldOut).toList(),
                half);
        series.setMarker(SeriesMarkers.CIRCLE);
        series.setMarkerColor(INK);
        return chart;
    }

    private static XYChart curves(List<Method> methods) {
        XYChart chart = new XYChartBuilder()
                .width(960)
                .height(560)
                .title("training loss, smoothed, first seed")
                .xAxisTitle("step")
                .yAxisTitle("loss (nats per token)")
                .build();
        chart.getStyler().setChartBackgroundColor(Color.WHITE);
        chart.getStyler().setLegendPosition(Styler.LegendPosition.OutsideE);
        chart.getStyler().setXAxisDecimalPattern("#,##0");
        for (Method method : methods) {
            LossPlot.Curve curve = LossPlot.Curve.of(method.metrics(), "train_loss");
            if (!curve.isEmpty()) {
                LossPlot.Curve smooth =
                        curve.smoothed(Math.max(1, curve.losses().size() / 20));
                chart.addSeries(method.name(), new ArrayList<>(smooth.steps()), smooth.losses())
                        .setMarker(SeriesMarkers.NONE);
            }
        }
        return chart;
    }
}
