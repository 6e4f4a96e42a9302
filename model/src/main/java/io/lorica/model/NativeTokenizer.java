package io.lorica.model;

import ai.djl.huggingface.tokenizers.jni.CharSpan;
import ai.djl.huggingface.tokenizers.jni.LibUtils;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import io.lorica.tensor.LoricaException;
import org.jspecify.annotations.Nullable;

/**
 * A handle to one tokenizer of the Rust library.
 *
 * <p>The library's JNI class is used rather than its {@code HuggingFaceTokenizer}: that one truncates and pads by
 * default, and reports its use to its makers' server.
 */
final class NativeTokenizer implements AutoCloseable {
    private static final TokenizersLibrary LIBRARY = load();

    private long handle;

    NativeTokenizer(String json, String where) {
        try {
            handle = LIBRARY.createTokenizerFromString(json);
        } catch (RuntimeException e) {
            throw new LoricaException.BadInput(
                    where + ": the tokenizers library cannot read this tokenizer: " + e.getMessage(), e);
        }
    }

    private static TokenizersLibrary load() {
        // The jar carries the CPU library; without these the loader may look for a GPU and then on the network.
        setUnlessSet("RUST_FLAVOR", "cpu");
        setUnlessSet("ai.djl.offline", "true");
        setUnlessSet("OPT_OUT_TRACKING", "true");
        try {
            LibUtils.checkStatus();
            return TokenizersLibrary.LIB;
        } catch (RuntimeException | LinkageError e) {
            throw new LoricaException.Internal(
                    "the native tokenizers library does not load (" + e.getMessage()
                            + "); its jar supports Linux x86-64"
                            + " and aarch64, macOS arm64 and Windows x86-64, and unpacks into the folder that the"
                            + " environment variable DJL_CACHE_DIR names (default ~/.djl.ai)",
                    e);
        }
    }

    private static void setUnlessSet(String property, String value) {
        if (System.getProperty(property) == null && System.getenv(property) == null) {
            System.setProperty(property, value);
        }
    }

    /** @param pair the second text of a pair, or null */
    Encoding encode(String text, @Nullable String pair, boolean addSpecialTokens) {
        long encoding = pair == null
                ? LIBRARY.encode(handle(), text, addSpecialTokens)
                : LIBRARY.encodeDual(handle(), text, pair, addSpecialTokens);
        try {
            return new Encoding(
                    LIBRARY.getTokenIds(encoding), LIBRARY.getTypeIds(encoding), LIBRARY.getTokenCharSpans(encoding));
        } finally {
            LIBRARY.deleteEncoding(encoding);
        }
    }

    String decode(long[] ids, boolean skipSpecialTokens) {
        return ids.length == 0 ? "" : LIBRARY.decode(handle(), ids, skipSpecialTokens);
    }

    private long handle() {
        if (handle == 0) {
            throw new IllegalStateException("the tokenizer is closed");
        }
        return handle;
    }

    @Override
    public void close() {
        if (handle != 0) {
            LIBRARY.deleteTokenizer(handle);
            handle = 0;
        }
    }

    /** @param spans in code points of the text; null for special tokens that the tokenizer added */
    record Encoding(long[] ids, long[] typeIds, @Nullable CharSpan[] spans) {}
}
