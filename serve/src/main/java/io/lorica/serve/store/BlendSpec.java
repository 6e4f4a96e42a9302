package io.lorica.serve.store;

import io.lorica.tensor.LoricaException;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Which adapters a request names: {@code tone}, or a blend {@code tone:0.7+law:0.5}, whose parts add up with these
 * weights (1 where none is written).
 */
public record BlendSpec(SequencedMap<String, Double> weights) {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,127}");
    private static final Pattern PART = Pattern.compile("([^:+]+)(?::([+-]?\\d{1,6}(?:\\.\\d{1,9})?))?");
    private static final int MOST = 16;

    /** @throws LoricaException.BadInput where it is not written like that */
    public static BlendSpec parse(String text) {
        SequencedMap<String, Double> weights = new LinkedHashMap<>();
        String[] parts = text.split("\\+", MOST + 1);
        if (parts.length > MOST) {
            throw new LoricaException.BadInput("a blend may have " + MOST + " adapters, but this one has more");
        }
        for (String part : parts) {
            Matcher matcher = PART.matcher(part);
            if (!matcher.matches()) {
                throw new LoricaException.BadInput("'" + shown(part)
                        + "' is no part of a blend; write NAME or NAME:WEIGHT, joined by +, for example"
                        + " tone:0.7+law:0.5");
            }
            String name = requireName(matcher.group(1));
            double weight = matcher.group(2) == null ? 1 : Double.parseDouble(matcher.group(2));
            if (weights.put(name, weight) != null) {
                throw new LoricaException.BadInput("the blend names '" + name + "' twice; add its weights up");
            }
        }
        return new BlendSpec(weights);
    }

    /**
     * A name is one step of a path and no more, so that it can never lead out of the directory of adapters.
     *
     * @throws LoricaException.BadInput where it is anything else
     */
    public static String requireName(String name) {
        if (!NAME.matcher(name).matches()) {
            throw new LoricaException.BadInput("'" + shown(name)
                    + "' is no name of an adapter; use up to 128 letters, digits, '.', '_' and '-', beginning with a"
                    + " letter or digit");
        }
        return name;
    }

    private static String shown(String text) {
        return text.length() <= 140 ? text : text.substring(0, 140) + "…";
    }
}
