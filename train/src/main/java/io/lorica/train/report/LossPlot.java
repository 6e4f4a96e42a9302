package io.lorica.train.report;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.LoricaException;
import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** {@code loss.png}: the training loss, raw and smoothed, and the held-out loss where it was measured. */
public final class LossPlot {
    private static final Color RAW = new Color(168, 196, 226);
    private static final Color SMOOTH = new Color(31, 97, 163);
    private static final Color HELD_OUT = new Color(209, 84, 0);

    private final String title;
    private final boolean logarithmic;

    /** @param logarithmic whether the loss axis is logarithmic */
    public LossPlot(String title, boolean logarithmic) {
        this.title = title;
        this.logarithmic = logarithmic;
    }

    /** Draws the log's {@code train_loss} and {@code eval_loss}; with neither there is no picture. */
    public void write(Path png, List<ObjectNode> metrics) {
        Curve train = Curve.of(metrics, "train_loss");
        Curve heldOut = Curve.of(metrics, "eval_loss");
        if (train.isEmpty() && heldOut.isEmpty()) {
            throw new LoricaException.BadInput(
                    "no line has train_loss or eval_loss; there is nothing to plot in " + png);
        }
        XYChart chart = chart();
        if (!train.isEmpty()) {
            int window = Math.max(1, train.losses().size() / 40);
            if (window > 1) {
                line(chart, "training, each step", train, RAW, 1f);
            }
            line(chart, window > 1 ? "training, mean of " + window : "training", train.smoothed(window), SMOOTH, 2.4f);
        }
        if (!heldOut.isEmpty()) {
            XYSeries series = line(chart, "held-out", heldOut, HELD_OUT, 2f);
            series.setMarker(SeriesMarkers.CIRCLE);
            series.setMarkerColor(HELD_OUT);
        }
        save(png, chart);
    }

    private XYChart chart() {
        XYChart chart = new XYChartBuilder()
                .width(960)
                .height(560)
                .title(title)
                .xAxisTitle("step")
                .yAxisTitle("loss (nats per token)")
                .build();
        var style = chart.getStyler();
        ChartStyle.apply(style, Styler.LegendPosition.InsideNE);
        style.setYAxisLogarithmic(logarithmic);
        style.setXAxisDecimalPattern("#,##0");
        style.setYAxisDecimalPattern("0.0##");
        style.setXAxisMaxLabelCount(10);
        return chart;
    }

    private static XYSeries line(XYChart chart, String name, Curve curve, Color color, float width) {
        XYSeries series = chart.addSeries(name, curve.steps(), curve.losses());
        series.setMarker(SeriesMarkers.NONE);
        series.setLineColor(color);
        series.setLineStyle(new BasicStroke(width, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND));
        return series;
    }

    static void save(Path png, XYChart chart) {
        save(png, BitmapEncoder.getBufferedImage(chart));
    }

    static void save(Path png, BufferedImage image) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try {
            ImageIO.write(image, "png", out);
        } catch (IOException e) {
            throw new LoricaException.Internal(png + " cannot be drawn: " + e.getMessage(), e);
        }
        byte[] bytes = out.toByteArray();
        AtomicFile.write(png, channel -> {
            ByteBuffer buffer = ByteBuffer.wrap(bytes);
            while (buffer.hasRemaining()) {
                channel.write(buffer);
            }
        });
    }

    /** Points of one curve. */
    record Curve(List<Double> steps, List<Double> losses) {

        static Curve of(List<ObjectNode> metrics, String name) {
            List<Double> steps = new ArrayList<>();
            List<Double> losses = new ArrayList<>();
            for (ObjectNode line : metrics) {
                if (line.path(name).isNumber()) {
                    steps.add(line.path("step").asDouble());
                    losses.add(line.path(name).asDouble());
                }
            }
            return new Curve(steps, losses);
        }

        boolean isEmpty() {
            return steps.isEmpty();
        }

        /** The mean of the last {@code window} points at each; fewer at the start. */
        Curve smoothed(int window) {
            List<Double> means = new ArrayList<>();
            double sum = 0;
            for (int i = 0; i < losses.size(); i++) {
                sum += losses.get(i) - (i >= window ? losses.get(i - window) : 0);
                means.add(sum / Math.min(window, i + 1));
            }
            return new Curve(steps, means);
        }
    }
}
