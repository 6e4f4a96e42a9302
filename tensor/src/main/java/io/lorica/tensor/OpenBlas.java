package io.lorica.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.Optional;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.openblas.global.openblas_nolapack;

/** The library of float32 matrix products, whose number of threads libtorch leaves as it found it. */
final class OpenBlas {
    private static final Optional<MethodHandle> SET_THREADS = find();

    private OpenBlas() {}

    /** Sets it for the process; nothing where this platform has another library. */
    static void threads(int count) {
        SET_THREADS.ifPresent(set -> {
            try {
                set.invokeExact(count);
            } catch (Throwable e) {
                throw new LoricaException.Internal("openblas_set_num_threads failed: " + e, e);
            }
        });
    }

    /** In the library that is loaded already, which stands beside the one that Java calls. */
    @SuppressWarnings("restricted") // the signature is OpenBLAS's
    private static Optional<MethodHandle> find() {
        Path called = Path.of(Loader.load(openblas_nolapack.class));
        Path library = called.resolveSibling("libopenblas_nolapack.so.0");
        if (!library.toFile().exists()) {
            return Optional.empty();
        }
        return SymbolLookup.libraryLookup(library, Arena.global())
                .find("openblas_set_num_threads")
                .map(symbol ->
                        Linker.nativeLinker().downcallHandle(symbol, FunctionDescriptor.ofVoid(ValueLayout.JAVA_INT)));
    }
}
