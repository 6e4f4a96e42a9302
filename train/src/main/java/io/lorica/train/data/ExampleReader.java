package io.lorica.train.data;

import io.lorica.model.Tokenizer;
import io.lorica.tensor.Hashing;
import io.lorica.tensor.LoricaException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Reads a data file as token examples.
 *
 * <p>Of conversations and prompts only what the assistant says is a target, with the end token. Of plain text every
 * token but the first is; it is cut into chunks that overlap by one token, so that each is predicted exactly once.
 */
public final class ExampleReader {
    private final PromptEncoder encoder;
    private final ReadOptions options;

    public ExampleReader(Tokenizer tokenizer, ReadOptions options) {
        encoder = new PromptEncoder(tokenizer, options.template());
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
        Row first = rows.first().orElseThrow(() -> new LoricaException.BadInput(rows.file() + " has no rows; fill it"));
        DataFormat format = DataFormat.detect(first, options.columns());
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
                collector.add(classify(row, classes, label), false, options.maxLength());
            }
            default -> {
                Encoded encoded = encoder.encode(row, format);
                collector.resplit += encoded.resplit();
                collector.add(Example.ofTokens(encoded.tokens(), encoded.supervised()), true, options.maxLength());
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
            collector.add(Example.ofTokens(chunk, supervised), true, options.maxLength());
        }
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

        void add(Example whole, boolean needsTarget, int maxLength) {
            Example example = whole.length() <= maxLength ? whole : cut(whole, maxLength);
            truncated += whole.length() <= maxLength ? 0 : 1;
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

        private static Example cut(Example whole, int length) {
            long[] segments = whole.segments();
            return new Example(
                    Arrays.copyOf(whole.tokens(), length),
                    Arrays.copyOf(whole.supervised(), length),
                    whole.label(),
                    segments == null ? null : Arrays.copyOf(segments, length));
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
