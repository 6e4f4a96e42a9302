package io.lorica.bench.serving;

import io.lorica.tensor.LoricaException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * The synthetic workload of S-LoRA (Sheng et al., MLSys 2024, section 7.1), from a seed.
 *
 * <p>{@code R = floor(rate * seconds)} requests. Adapter {@code floor(n P)} with {@code P} of density {@code alpha
 * x^(alpha-1)} on [0, 1): 1 asks for all alike, less for the first ones more often. Lengths are uniform. The time between
 * two requests is Gamma-distributed with mean {@code 1 / rate} and coefficient of variation {@code cv}: shape {@code
 * 1/cv^2}, scale {@code cv^2 / rate}; 1 is a Poisson process. Drawn in the order of the official generator: adapters,
 * inputs, outputs, intervals (with Java's generator, so the traces are not the official ones number by number).
 *
 * @param adapters {@code n}, at least 1
 * @param rate requests a second, offered whether or not they are answered
 * @param input tokens of a prompt
 * @param output tokens of an answer
 */
public record Workload(
        int adapters, double alpha, double rate, double cv, double seconds, Range input, Range output, long seed) {

    /** Whole numbers from {@code low} to {@code high}, without {@code high}. */
    public record Range(int low, int high) {
        public Range {
            if (low < 1 || high <= low) {
                throw new LoricaException.BadInput(
                        "the range of lengths is " + low + ":" + high + ", but must be LOW:HIGH with 1 <= LOW < HIGH");
            }
        }

        /** @param text {@code LOW:HIGH} */
        public static Range parse(String text) {
            try {
                String[] ends = text.split(":", -1);
                if (ends.length == 2) {
                    return new Range(Integer.parseInt(ends[0].strip()), Integer.parseInt(ends[1].strip()));
                }
            } catch (NumberFormatException e) {
                // said below, as for any other text that is no range
            }
            throw new LoricaException.BadInput("the range of lengths is '" + text + "', but must be LOW:HIGH");
        }

        private int draw(Random random) {
            return random.nextInt(low, high);
        }
    }

    /**
     * A request.
     *
     * @param at seconds after the beginning
     * @param adapter its number, from 0
     * @param prompt token ids
     * @param maxTokens of the answer, which goes on to there
     */
    public record Arrival(double at, int adapter, long[] prompt, int maxTokens) {}

    public Workload {
        require(adapters >= 1, "number of adapters", adapters, "at least 1");
        require(alpha > 0, "alpha", alpha, "above 0");
        require(rate > 0, "rate", rate, "above 0");
        require(cv > 0, "cv", cv, "above 0");
        require(seconds > 0, "time", seconds, "above 0 s");
    }

    private static void require(boolean holds, String what, double value, String expected) {
        if (!holds) {
            throw new LoricaException.BadInput("the workload's " + what + " is " + value + ", but must be " + expected);
        }
    }

    Workload withAdapters(int count) {
        return new Workload(count, alpha, rate, cv, seconds, input, output, seed);
    }

    /** The same with other requests. */
    Workload withSeconds(double time) {
        return new Workload(adapters, alpha, rate, cv, time, input, output, seed + 1);
    }

    /** @param vocabulary number of token ids; prompts are random ones of its second quarter, where no special ones are */
    public List<Arrival> arrivals(int vocabulary) {
        Random random = new Random(seed);
        int requests = (int) (rate * seconds);
        int[] ids = draw(requests, () -> (int) (adapters * Math.pow(random.nextDouble(), 1 / alpha)));
        int[] inputs = draw(requests, () -> input.draw(random));
        int[] outputs = draw(requests, () -> output.draw(random));
        List<Arrival> arrivals = new ArrayList<>();
        double at = 0;
        for (int i = 0; i < requests; i++) {
            at += gamma(random, 1 / (cv * cv)) * cv * cv / rate;
            long[] prompt =
                    random.longs(inputs[i], vocabulary / 4, vocabulary / 2).toArray();
            arrivals.add(new Arrival(at, ids[i], prompt, outputs[i]));
        }
        return arrivals;
    }

    private static int[] draw(int n, java.util.function.IntSupplier source) {
        return java.util.stream.IntStream.generate(source).limit(n).toArray();
    }

    /** A draw of the Gamma distribution of scale 1 (Marsaglia and Tsang, 2000; below shape 1 by their boost). */
    private static double gamma(Random random, double shape) {
        if (shape < 1) {
            return gamma(random, shape + 1) * Math.pow(random.nextDouble(), 1 / shape);
        }
        double d = shape - 1.0 / 3;
        double c = 1 / Math.sqrt(9 * d);
        while (true) {
            double x = random.nextGaussian();
            double v = Math.pow(1 + c * x, 3);
            if (v > 0 && Math.log(random.nextDouble()) < 0.5 * x * x + d - d * v + d * Math.log(v)) {
                return d * v;
            }
        }
    }
}
