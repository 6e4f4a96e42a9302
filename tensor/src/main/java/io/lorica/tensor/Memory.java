package io.lorica.tensor;

import java.io.IOException;
import java.io.InputStream;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.javacpp.Pointer;

/**
 * Resident memory of processes, and sizes as people write them.
 *
 * <p>Linux tells current and peak bytes in {@code /proc}; other Unixes tell the current bytes through {@code ps}. Where
 * the system does not tell, the answer is absent, never a guess.
 */
public final class Memory {
    private static final Pattern SIZE = Pattern.compile("(\\d{1,18}(?:\\.\\d{1,9})?)\\s*([a-z]*)");
    private static final Map<String, Long> UNITS = Map.ofEntries(
            Map.entry("", 1L),
            Map.entry("b", 1L),
            Map.entry("k", 1L << 10),
            Map.entry("m", 1L << 20),
            Map.entry("g", 1L << 30),
            Map.entry("t", 1L << 40),
            Map.entry("kib", 1L << 10),
            Map.entry("mib", 1L << 20),
            Map.entry("gib", 1L << 30),
            Map.entry("tib", 1L << 40),
            Map.entry("kb", 1_000L),
            Map.entry("mb", 1_000_000L),
            Map.entry("gb", 1_000_000_000L),
            Map.entry("tb", 1_000_000_000_000L));
    private static final List<String> NAMES = List.of("KiB", "MiB", "GiB", "TiB", "PiB", "EiB");

    private Memory() {}

    /** Resident bytes of this process now. */
    public static OptionalLong resident() {
        return resident(ProcessHandle.current().pid());
    }

    /** The most resident bytes this process has had since it started, or since {@link #resetPeak}. */
    public static OptionalLong peak() {
        return peak(ProcessHandle.current().pid());
    }

    /** Resident bytes of a process now; absent when it is gone or the system does not tell. */
    public static OptionalLong resident(long pid) {
        OptionalLong linux = status(pid, "VmRSS:");
        return linux.isPresent() || Files.exists(Path.of("/proc/self/status")) ? linux : ps(pid);
    }

    /** The most resident bytes of a process so far; absent when it is gone or the system does not tell (only Linux does). */
    public static OptionalLong peak(long pid) {
        return status(pid, "VmHWM:");
    }

    /** Makes {@link #peak()} count from now on. False where the system cannot. */
    public static boolean resetPeak() {
        try {
            Files.writeString(Path.of("/proc/self/clear_refs"), "5");
            return true;
        } catch (IOException _) {
            return false; // not Linux, or a container without the right; the caller learns it
        }
    }

    /**
     * Gives native memory that was freed back to the system, where the C library can (glibc). Worth its milliseconds
     * after something large that is not done again, such as quantizing a model.
     */
    public static void trim() {
        Pointer.trimMemory();
    }

    /**
     * Parses a size: {@code 6GiB}, {@code 512 MiB}, {@code 1.5g}, {@code 8GB}, {@code 1048576}. {@code KiB, MiB, GiB,
     * TiB} and the bare letters {@code k, m, g, t} are powers of 1024, {@code kB, MB, GB, TB} powers of 1000; case does
     * not matter.
     *
     * @return bytes, rounded down
     */
    public static long parse(String text) {
        Matcher matcher = SIZE.matcher(text.strip().toLowerCase(Locale.ROOT));
        Long unit = matcher.matches() ? UNITS.get(matcher.group(2)) : null;
        if (unit == null) {
            throw new LoricaException.BadInput(
                    "'" + text + "' is not a size; write a number and a unit, for example 6GiB or 512MiB");
        }
        BigDecimal bytes = new BigDecimal(matcher.group(1)).multiply(BigDecimal.valueOf(unit));
        if (bytes.compareTo(BigDecimal.valueOf(Long.MAX_VALUE)) > 0) {
            throw new LoricaException.BadInput(
                    "'" + text + "' is more bytes than fit into 63 bits; name a smaller size");
        }
        return bytes.setScale(0, RoundingMode.DOWN).longValueExact();
    }

    /** {@code "1.5 GiB"}, {@code "12 MiB"}, {@code "100 B"}: three digits at most before the unit, one behind below 10. */
    public static String format(long bytes) {
        if (bytes < 0) {
            return "-" + format(bytes == Long.MIN_VALUE ? Long.MAX_VALUE : -bytes);
        }
        if (bytes < 1024) {
            return bytes + " B";
        }
        double value = bytes / 1024.0;
        int unit = 0;
        while (value >= 999.5 && unit < NAMES.size() - 1) {
            value /= 1024;
            unit++;
        }
        String number = value < 9.95 ? String.format(Locale.ROOT, "%.1f", value) : Long.toString(Math.round(value));
        return number.replaceFirst("\\.0$", "") + " " + NAMES.get(unit);
    }

    private static OptionalLong status(long pid, String key) {
        try {
            return Files.readAllLines(Path.of("/proc/" + pid + "/status")).stream()
                    .filter(line -> line.startsWith(key))
                    .mapToLong(line -> 1024 * Long.parseLong(line.replaceAll("\\D", "")))
                    .findFirst();
        } catch (IOException _) {
            return OptionalLong.empty(); // no such process, or not Linux
        }
    }

    private static OptionalLong ps(long pid) {
        try {
            Process process = new ProcessBuilder("ps", "-o", "rss=", "-p", Long.toString(pid)).start();
            try (InputStream in = process.getInputStream()) {
                String output = new String(in.readAllBytes(), StandardCharsets.US_ASCII).strip();
                return output.matches("\\d+") ? OptionalLong.of(1024 * Long.parseLong(output)) : OptionalLong.empty();
            }
        } catch (IOException _) {
            return OptionalLong.empty(); // Windows has no ps
        }
    }
}
