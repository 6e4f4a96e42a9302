package io.lorica.serve.pool;

import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Full pages of keys and values, kept so that later sequences which begin alike go on from them. What a page holds depends
 * on all tokens before it and on the adapters, so pages form chains: a page is found by the page before it and its own
 * tokens, the first one by the adapters. Keys are compared whole; a hash that collides finds nothing wrong.
 *
 * <p>A page that no sequence uses stays until somebody wants it: ends of chains leave first, the longest unused before
 * others. One thread uses it.
 */
public final class PrefixPages {
    private final PagePool pool;
    private final int pageTokens;
    private final Map<Key, Node> nodes = new HashMap<>();
    private long ids;
    private long clock;

    /** Finds a page: the page before it or, for a first page, what the whole chain depends on; and its tokens. */
    private record Key(Object before, Run tokens) {}

    private record Run(long[] tokens) {
        @Override
        public boolean equals(Object other) {
            return other instanceof Run run && Arrays.equals(tokens, run.tokens);
        }

        @Override
        public int hashCode() {
            return Arrays.hashCode(tokens);
        }
    }

    private static final class Node {
        final Object root;
        final Key key;
        final @Nullable Node parent;
        final int page;
        final Long id;
        int children;
        long lastUse;

        Node(Object root, Key key, @Nullable Node parent, int page, long id) {
            this.root = root;
            this.key = key;
            this.parent = parent;
            this.page = page;
            this.id = id;
        }
    }

    public PrefixPages(PagePool pool, int pageTokens) {
        this.pool = pool;
        this.pageTokens = pageTokens;
    }

    /** The way of one sequence along its chain. */
    public final class Chain {
        private final Object root;
        private @Nullable Node tip;
        private int length;

        private Chain(Object root) {
            this.root = root;
        }

        /**
         * Takes over what is known of a sequence's first tokens but the last, whose logits are wanted.
         *
         * @param cache empty
         */
        public void adopt(long[] tokens, int count, PagedCache cache) {
            while ((length + 1) * pageTokens < count) {
                Node next = nodes.get(key(tokens));
                if (next == null) {
                    return;
                }
                cache.adopt(next.page);
                enter(next);
            }
        }

        /**
         * Makes the pages known that have become full. Where another sequence has made the same known meanwhile, that one's
         * page takes the place of this one's.
         *
         * @param tokens of the sequence, at least those that {@code cache} holds
         */
        public void publish(long[] tokens, PagedCache cache) {
            while ((length + 1) * pageTokens <= cache.length()) {
                Key key = key(tokens);
                Node known = nodes.get(key);
                if (known == null) {
                    known = new Node(root, key, tip, cache.page(length), ++ids);
                    pool.share(known.page);
                    nodes.put(key, known);
                    if (tip != null) {
                        tip.children++;
                    }
                } else {
                    cache.replace(length, known.page);
                }
                enter(known);
            }
        }

        private Key key(long[] tokens) {
            long[] run = Arrays.copyOfRange(tokens, length * pageTokens, (length + 1) * pageTokens);
            return new Key(tip == null ? root : tip.id, new Run(run));
        }

        private void enter(Node node) {
            node.lastUse = ++clock;
            tip = node;
            length++;
        }
    }

    /** @param root what the pages depend on besides tokens: the adapters and their weights */
    public Chain chain(Object root) {
        return new Chain(root);
    }

    /** Pages that only this object holds. */
    public int idlePages() {
        return (int) nodes.values().stream().filter(this::idle).count();
    }

    /** Gives one page back that no sequence uses. False where all are used. */
    public boolean evict() {
        Optional<Node> oldest = nodes.values().stream()
                .filter(node -> node.children == 0 && idle(node))
                .min(Comparator.comparingLong(node -> node.lastUse));
        oldest.ifPresent(this::remove);
        return oldest.isPresent();
    }

    /** Forgets the chains of those roots; no sequence may use them any more. */
    public void forget(Predicate<Object> roots) {
        nodes.values().stream().filter(node -> roots.test(node.root)).toList().forEach(this::remove);
    }

    private boolean idle(Node node) {
        return pool.holders(node.page) == 1;
    }

    private void remove(Node node) {
        nodes.remove(node.key);
        pool.give(node.page);
        if (node.parent != null) {
            node.parent.children--;
        }
    }
}
