package io.lorica.model;

import java.util.List;

/** Passes text through until a stop text is complete, and holds back what may be the beginning of one. */
final class StopFilter {
    private final List<String> stops;
    private String held = "";
    private boolean stopped;

    StopFilter(List<String> stops) {
        this.stops = stops;
    }

    /** @return what is certain to belong to the answer */
    String add(String text) {
        if (stopped) {
            return "";
        }
        held += text;
        int cut = firstStop();
        stopped = cut >= 0;
        int end = stopped ? cut : held.length() - possibleStart();
        String sure = held.substring(0, end);
        held = stopped ? "" : held.substring(end);
        return sure;
    }

    boolean stopped() {
        return stopped;
    }

    /** @return what was held back in vain */
    String finish() {
        String rest = held;
        held = "";
        return rest;
    }

    private int firstStop() {
        return stops.stream()
                .mapToInt(held::indexOf)
                .filter(at -> at >= 0)
                .min()
                .orElse(-1);
    }

    /** Length of the longest end of the text that begins some stop text. */
    private int possibleStart() {
        int longest = stops.stream().mapToInt(String::length).max().orElse(0);
        for (int length = Math.min(longest - 1, held.length()); length > 0; length--) {
            String end = held.substring(held.length() - length);
            if (stops.stream().anyMatch(stop -> stop.startsWith(end))) {
                return length;
            }
        }
        return 0;
    }
}
