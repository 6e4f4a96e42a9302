package io.lorica.cli;

import java.time.Duration;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/** How far a piece of work is: a bar on a terminal, else a line for every tenth. */
final class Progress implements AutoCloseable {
    private static final int WIDTH = 110;

    private final Console console;
    private final String task;
    private final long total;
    private final @Nullable ProgressBar bar;
    private final long start = System.nanoTime();
    private long first = -1;
    private long nextTenth = 1;

    /**
     * @param total work in {@code unit}s
     * @param size how many steps of work one unit is (1,000,000 for megabytes)
     */
    Progress(Console console, String task, long total, String unit, long size) {
        this.console = console;
        this.task = task;
        this.total = total;
        bar = Console.isTerminal() ? bar(console, task, total, unit, size) : null;
    }

    private static ProgressBar bar(Console console, String task, long total, String unit, long size) {
        return new ProgressBarBuilder()
                .setTaskName(task)
                .setInitialMax(total)
                .setUnit(" " + unit, size)
                .setStyle(ProgressBarStyle.UNICODE_BLOCK)
                .setUpdateIntervalMillis(250)
                .setConsumer(new ConsoleProgressBarConsumer(console.err(), WIDTH))
                .build();
    }

    /** @param remark what else is worth showing, such as the loss and the speed */
    void at(long done, String remark) {
        if (bar != null) {
            bar.stepTo(done);
            bar.setExtraMessage(" " + remark);
            return;
        }
        if (first < 0) {
            first = done;
        }
        if (done * 10 >= nextTenth * total) {
            nextTenth = done * 10 / total + 1;
            console.note("%s %3d %%  %s%s".formatted(task, done * 100 / total, remark, left(done)));
        }
    }

    private String left(long done) {
        if (done <= first || done >= total) {
            return "";
        }
        double seconds = (System.nanoTime() - start) / 1e9 * (total - done) / (done - first);
        return "  " + text(Duration.ofSeconds((long) seconds)) + " left";
    }

    /** {@code 1:02:03} or {@code 2:03}. */
    static String text(Duration duration) {
        long seconds = duration.toSeconds();
        return seconds < 3600
                ? "%d:%02d".formatted(seconds / 60, seconds % 60)
                : "%d:%02d:%02d".formatted(seconds / 3600, seconds / 60 % 60, seconds % 60);
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
        }
    }
}
