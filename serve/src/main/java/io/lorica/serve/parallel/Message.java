package io.lorica.serve.parallel;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What the first rank tells the others, over a pipe: it may be silent for as long as nobody asks it anything, which a
 * collective may not, and its end is the end of the first rank.
 */
sealed interface Message {

    /** The pool's size; the first message. */
    record Open(int pages, int pageTokens) implements Message {}

    /** An adapter's part follows as a tensor, unless it is empty. */
    record Adapter(int id, List<AdapterShard.Entry> entries) implements Message {}

    /** An adapter is not used any more. */
    record Drop(int id) implements Message {}

    /** A pass. */
    record Pass(List<Sequence> sequences, List<Range> ranges) implements Message {}

    /** A sequence's next tokens, and where its keys and values are. */
    record Sequence(long[] tokens, int[] pages, int length) {}

    /** Rows with adapters. */
    record Range(int from, int count, List<Use> uses) {}

    /** An adapter with its weight. */
    record Use(int adapter, double weight) {}

    default void write(DataOutputStream out) throws IOException {
        switch (this) {
            case Open open -> {
                out.writeByte('o');
                out.writeInt(open.pages());
                out.writeInt(open.pageTokens());
            }
            case Adapter adapter -> {
                out.writeByte('a');
                out.writeInt(adapter.id());
                out.writeInt(adapter.entries().size());
                for (AdapterShard.Entry entry : adapter.entries()) {
                    out.writeUTF(entry.site());
                    out.writeInt(entry.rank());
                    out.writeInt(entry.rows());
                    out.writeInt(entry.cols());
                    out.writeInt(entry.out());
                }
            }
            case Drop drop -> {
                out.writeByte('d');
                out.writeInt(drop.id());
            }
            case Pass pass -> {
                out.writeByte('p');
                write(pass, out);
            }
        }
        out.flush();
    }

    private static void write(Pass pass, DataOutputStream out) throws IOException {
        out.writeInt(pass.sequences().size());
        for (Sequence sequence : pass.sequences()) {
            out.writeInt(sequence.tokens().length);
            for (long token : sequence.tokens()) {
                out.writeInt((int) token);
            }
            out.writeInt(sequence.pages().length);
            for (int page : sequence.pages()) {
                out.writeInt(page);
            }
            out.writeInt(sequence.length());
        }
        out.writeInt(pass.ranges().size());
        for (Range range : pass.ranges()) {
            out.writeInt(range.from());
            out.writeInt(range.count());
            out.writeInt(range.uses().size());
            for (Use use : range.uses()) {
                out.writeInt(use.adapter());
                out.writeDouble(use.weight());
            }
        }
    }

    /** The next message; empty when there will be none. */
    static Optional<Message> read(DataInputStream in) throws IOException {
        int kind = in.read();
        return switch (kind) {
            case -1 -> Optional.empty();
            case 'o' -> Optional.of(new Open(in.readInt(), in.readInt()));
            case 'a' -> Optional.of(adapter(in));
            case 'd' -> Optional.of(new Drop(in.readInt()));
            case 'p' -> Optional.of(pass(in));
            default -> throw new EOFException("the first rank sent an unknown message " + kind);
        };
    }

    private static Adapter adapter(DataInputStream in) throws IOException {
        int id = in.readInt();
        List<AdapterShard.Entry> entries = new ArrayList<>();
        for (int left = in.readInt(); left > 0; left--) {
            entries.add(new AdapterShard.Entry(in.readUTF(), in.readInt(), in.readInt(), in.readInt(), in.readInt()));
        }
        return new Adapter(id, entries);
    }

    private static Pass pass(DataInputStream in) throws IOException {
        List<Sequence> sequences = new ArrayList<>();
        for (int left = in.readInt(); left > 0; left--) {
            long[] tokens = new long[in.readInt()];
            for (int i = 0; i < tokens.length; i++) {
                tokens[i] = in.readInt();
            }
            int[] pages = new int[in.readInt()];
            for (int i = 0; i < pages.length; i++) {
                pages[i] = in.readInt();
            }
            sequences.add(new Sequence(tokens, pages, in.readInt()));
        }
        List<Range> ranges = new ArrayList<>();
        for (int left = in.readInt(); left > 0; left--) {
            int from = in.readInt();
            int count = in.readInt();
            List<Use> uses = new ArrayList<>();
            for (int more = in.readInt(); more > 0; more--) {
                uses.add(new Use(in.readInt(), in.readDouble()));
            }
            ranges.add(new Range(from, count, uses));
        }
        return new Pass(sequences, ranges);
    }
}
