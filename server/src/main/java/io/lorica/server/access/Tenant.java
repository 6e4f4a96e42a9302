package io.lorica.server.access;

import io.helidon.http.HeaderNames;
import io.helidon.http.HeaderValues;
import io.helidon.http.HttpException;
import io.helidon.http.Status;
import java.time.Duration;
import java.time.InstantSource;
import java.time.LocalDate;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** On whose account requests go: what it may name, how much it may ask for, and what it has used. Thread-safe. */
public final class Tenant {
    private final String name;
    private final boolean admin;
    private final List<Pattern> models;
    private final Limits limits;
    private final InstantSource clock;
    private final @Nullable Bucket requestRate;
    private final @Nullable Bucket tokenRate;
    private final ReentrantLock lock = new ReentrantLock();
    private LocalDate day;
    private long today;
    private long requests;
    private long refused;
    private long promptTokens;
    private long answerTokens;

    /** @param models names it may ask for; {@code *} stands for any characters */
    Tenant(String name, boolean admin, List<String> models, Limits limits, InstantSource clock) {
        this.name = name;
        this.admin = admin;
        this.models = models.stream().map(Tenant::pattern).toList();
        this.limits = limits;
        this.clock = clock;
        requestRate = limits.requestsPerMinute() == 0 ? null : new Bucket(limits.requestsPerMinute(), clock);
        tokenRate = limits.tokensPerMinute() == 0 ? null : new Bucket(limits.tokensPerMinute(), clock);
        day = LocalDate.ofInstant(clock.instant(), ZoneOffset.UTC);
    }

    private static Pattern pattern(String model) {
        return Pattern.compile(
                Stream.of(model.split("\\*", -1)).map(Pattern::quote).collect(Collectors.joining(".*")));
    }

    public String name() {
        return name;
    }

    /** Whether it may add and remove adapters and see what others use. */
    public boolean admin() {
        return admin;
    }

    public boolean mayUse(String model) {
        return models.stream().anyMatch(pattern -> pattern.matcher(model).matches());
    }

    public Limits limits() {
        return limits;
    }

    /**
     * Lets one request in.
     *
     * @throws HttpException with status 429 and {@code Retry-After} where it has asked for too much
     */
    public void admit() {
        lock.lock();
        try {
            requireRate(requestRate, limits.requestsPerMinute(), "requests");
            requireRate(tokenRate, limits.tokensPerMinute(), "tokens");
            turnDay();
            if (limits.tokensPerDay() > 0 && today >= limits.tokensPerDay()) {
                throw tooMany(
                        "has used " + today + " of " + limits.tokensPerDay() + " tokens of this day (UTC)",
                        untilMidnight());
            }
            if (requestRate != null) {
                requestRate.take(1);
            }
            requests++;
        } finally {
            lock.unlock();
        }
    }

    private void requireRate(@Nullable Bucket rate, int limit, String what) {
        Duration wait = rate == null ? Duration.ZERO : rate.until(1);
        if (wait.isPositive()) {
            throw tooMany("has asked for more than " + limit + " " + what + " a minute", wait);
        }
    }

    private HttpException tooMany(String what, Duration wait) {
        refused++;
        long seconds = Math.max(1, (wait.toMillis() + 999) / 1000);
        return new HttpException(
                        "tenant '" + name + "' " + what + "; try again in " + seconds + " s",
                        Status.TOO_MANY_REQUESTS_429)
                .header(HeaderValues.create(HeaderNames.RETRY_AFTER, Long.toString(seconds)));
    }

    /** Counts work that was done, whether or not anybody got it. */
    public void charge(int prompt, int answer) {
        lock.lock();
        try {
            turnDay();
            promptTokens += prompt;
            answerTokens += answer;
            today += (long) prompt + answer;
            if (tokenRate != null) {
                tokenRate.take((double) prompt + answer);
            }
        } finally {
            lock.unlock();
        }
    }

    public Usage usage() {
        lock.lock();
        try {
            turnDay();
            return new Usage(requests, refused, promptTokens, answerTokens, today);
        } finally {
            lock.unlock();
        }
    }

    private void turnDay() {
        LocalDate now = LocalDate.ofInstant(clock.instant(), ZoneOffset.UTC);
        if (!now.equals(day)) {
            day = now;
            today = 0;
        }
    }

    private Duration untilMidnight() {
        LocalTime now = LocalTime.ofInstant(clock.instant(), ZoneOffset.UTC);
        return Duration.ofDays(1).minus(Duration.between(LocalTime.MIDNIGHT, now));
    }
}
