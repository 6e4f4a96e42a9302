package io.lorica.server.access;

import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;

/** A minute's worth of something, filled up steadily; it may be overdrawn. Guarded by its owner's lock. */
final class Bucket {
    private final double perMinute;
    private final InstantSource clock;
    private double level;
    private Instant last;

    Bucket(double perMinute, InstantSource clock) {
        this.perMinute = perMinute;
        this.clock = clock;
        level = perMinute;
        last = clock.instant();
    }

    /** How long until {@code amount} is there; zero when it is. */
    Duration until(double amount) {
        Instant now = clock.instant();
        level = Math.min(
                perMinute, level + perMinute * Duration.between(last, now).toMillis() / 60_000.0);
        last = now;
        return level >= amount
                ? Duration.ZERO
                : Duration.ofMillis((long) Math.ceil((amount - level) / perMinute * 60_000));
    }

    void take(double amount) {
        level -= amount;
    }
}
