package io.lorica.train.report;

import java.awt.Color;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.XYStyler;

/** What all line charts look like. */
final class ChartStyle {
    private static final Color GRID = new Color(225, 225, 225);

    private ChartStyle() {}

    static void apply(XYStyler style, Styler.LegendPosition legend) {
        style.setChartBackgroundColor(Color.WHITE);
        style.setPlotBorderVisible(false);
        style.setPlotGridLinesColor(GRID);
        style.setLegendPosition(legend);
        style.setLegendBorderColor(GRID);
        style.setMarkerSize(7);
    }
}
