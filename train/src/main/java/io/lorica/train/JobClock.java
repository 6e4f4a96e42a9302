package io.lorica.train;

import java.util.HashMap;
import java.util.Map;

/** How many steps the furthest of several lanes has taken; lanes with nothing to do yet wait for it. */
final class JobClock {
    private final Map<Object, Long> steps = new HashMap<>();
    private long now;
    private int busy;

    JobClock(int lanes) {
        busy = lanes;
    }

    synchronized long now() {
        return now;
    }

    /** Counts a step of a lane. */
    synchronized void step(Object lane) {
        now = Math.max(now, steps.merge(lane, 1L, Long::sum));
        notifyAll();
    }

    /** Waits for a time. It comes at once where no other lane has anything to do. */
    synchronized void await(long time) {
        busy--;
        notifyAll();
        try {
            while (now < time && busy > 0) {
                wait();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            busy++;
        }
        now = Math.max(now, time);
        notifyAll();
    }

    /** A lane has nothing more to do. */
    synchronized void ended() {
        busy--;
        notifyAll();
    }
}
