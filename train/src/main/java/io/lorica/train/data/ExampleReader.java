package io.lorica.train.data;

import io.lorica.model.Pretrained;
import io.lorica.model.Tokenizer;
import io.lorica.tensor.Hashing;
import io.lorica.tensor.LoricaException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Reads a data file as token examples.
 *
 * <p>Of conversations and prompts only what the assistant says is a target, with the end token. Of plain text every
 * token but the first is; it is cut into chunks that overlap by one token, so that each is predicted exactly once.
 */
public final class ExampleReader {
    private final PromptEncoder encoder;
    private final Truncation truncation;
    private final Senses senses;
    private final ReadOptions options;

    /** For a model that reads text alone. */
    public ExampleReader(Tokenizer tokenizer, ReadOptions options) {
        this(tokenizer, new TextOnly(), options);
    }

    /** For a model that may take in more than text. */
    public ExampleReader(Pretrained base, ReadOptions options) {
        this(base.tokenizer(), Senses.of(base), options);
    }

    public ExampleReader(Tokenizer tokenizer, Senses senses, ReadOptions options) {
        this.senses = senses;
        encoder = new PromptEncoder(tokenizer, options.template());
        truncation =
                new Truncation(Arrays.stream(tokenizer.encode("", true)).boxed().collect(Collectors.toSet()));
        this.options = options;
    }

    /** Reads a file; classes are those of the file itself. */
    public DataSet read(Path file) {
        return read(Rows.of(file), Optional.empty());
    }

    /** Reads a file by the classes of another, the training set. */
    public DataSet read(Path file, Labels labels) {
        return read(Rows.of(file), Optional.of(labels));
    }

    /**
     * @param known classes; empty to take them from the rows
     * @throws LoricaException.BadInput when the rows are broken, of no known kind, or none
     */
    public DataSet read(Rows rows, Optional<Labels> known) {
        DataFormat format = format(rows, options.columns());
        Optional<Labels> labels = format instanceof DataFormat.Classification classes
                ? known.or(() -> Optional.of(labels(rows, classes)))
                : Optional.empty();
        Collector collector = new Collector();
        Hashing hashing = new Hashing();
        long count = rows.forEach(row -> {
            hashing.add(row.values().toString());
            add(row, format, labels, collector);
        });
        return collector.finish(count, format, hashing.hex(), labels);
    }

    /**
     * The labels of a file's rows, without a tokenizer; empty where the rows are language data.
     *
     * @param columns as {@link ReadOptions#columns}
     */
    public static Optional<Labels> labels(Path file, Map<String, String> columns) {
        Rows rows = Rows.of(file);
        return format(rows, columns) instanceof DataFormat.Classification classes
                ? Optional.of(labels(rows, classes))
                : Optional.empty();
    }

    private static DataFormat format(Rows rows, Map<String, String> columns) {
        Row first = rows.first().orElseThrow(() -> new LoricaException.BadInput(rows.file() + " has no rows; fill it"));
        return DataFormat.detect(first, columns);
    }

    private static Labels labels(Rows rows, DataFormat.Classification format) {
        Set<String> values = new LinkedHashSet<>();
        rows.forEach(row -> values.add(row.text(format.label())));
        return Labels.of(values);
    }

    private void add(Row row, DataFormat format, Optional<Labels> labels, Collector collector) {
        switch (format) {
            case DataFormat.Text text -> chunks(row.text(text.column()), collector);
            case DataFormat.Classification classes -> {
                double label = labels.orElseThrow().value(row, classes.label());
                collector.add(classify(row, classes, label), false, truncation::to);
            }
            default -> {
                Encoded encoded = encoder.encode(row, format);
                collector.resplit += encoded.resplit();
                collector.add(senses.example(row, encoded), true, (length, whole) -> cut(row, length, whole));
            }
        }
    }

    private Example classify(Row row, DataFormat.Classification classes, double label) {
        Tokenizer tokenizer = encoder.tokenizer();
        String text = row.text(classes.text());
        if (classes.pair().isEmpty()) {
            long[] tokens = tokenizer.encode(text, true);
            return new Example(tokens, new boolean[tokens.length], label);
        }
        Tokenizer.Pair pair = tokenizer.encodePair(text, row.text(classes.pair().get()));
        return new Example(pair.ids(), new boolean[pair.ids().length], label, pair.typeIds());
    }

    private void chunks(String text, Collector collector) {
        Tokenizer tokenizer = encoder.tokenizer();
        long[] tokens = tokenizer.encode(text, true);
        if (tokenizer.eos().isPresent()
                && (tokens.length == 0
                        || tokens[tokens.length - 1] != tokenizer.eos().getAsLong())) {
            tokens = Spans.concat(tokens, tokenizer.eos().getAsLong());
        }
        if (tokens.length < 2) {
            collector.dropped++;
        }
        for (int start = 0; start + 1 < tokens.length; start += options.maxLength() - 1) {
            long[] chunk = Arrays.copyOfRange(tokens, start, Math.min(tokens.length, start + options.maxLength()));
            boolean[] supervised = new boolean[chunk.length];
            Arrays.fill(supervised, 1, chunk.length, true);
            collector.add(Example.ofTokens(chunk, supervised), true, (length, whole) -> whole.shortened(length));
        }
    }

    /** A way to shorten an example that is too long. */
    @FunctionalInterface
    private interface Cut {
        Example to(int length, Example whole);
    }

    /** The end goes, but no part of an image or a recording. */
    private Example cut(Row row, int length, Example whole) {
        Example cut = whole.shortened(length);
        if (whole.media() != null && senses.lost(whole, cut)) {
            throw row.bad("its images or recordings do not fit within " + length + " tokens (it has " + whole.length()
                    + "; raise max_length)");
        }
        return cut;
    }

    /** Examples and what became of the rows. */
    private final class Collector {
        private final List<Example> examples = new ArrayList<>();
        private long tokens;
        private long targets;
        private long truncated;
        private long dropped;
        private long resplit;
        private long withEnd;

        void add(Example whole, boolean needsTarget, Cut cut) {
            boolean fits = whole.length() <= options.maxLength();
            Example example = fits ? whole : cut.to(options.maxLength(), whole);
            truncated += fits ? 0 : 1;
            int count = example.targets();
            if (needsTarget && count == 0) {
                dropped++;
                return;
            }
            examples.add(example);
            tokens += example.length();
            targets += count;
            withEnd += endsWithEnd(example) ? 1 : 0;
        }

        private boolean endsWithEnd(Example example) {
            for (int i = example.length() - 1; i >= 0; i--) {
                if (example.supervised()[i]) {
                    return encoder.tokenizer().endIds().contains(example.tokens()[i]);
                }
            }
            return false;
        }

        DataSet finish(long rows, DataFormat format, String hash, Optional<Labels> labels) {
            if (examples.isEmpty()) {
                throw new LoricaException.BadInput("of " + rows + " rows none has a target within "
                        + options.maxLength() + " tokens; raise max_length");
            }
            DataSet.Counts counts =
                    new DataSet.Counts(rows, examples.size(), tokens, targets, truncated, dropped, resplit, withEnd);
            return new DataSet(examples, format, hash, counts, labels);
        }
    }
}
