package io.lorica.tensor;

import org.jspecify.annotations.Nullable;

/**
 * Root of every error Lorica reports on purpose.
 *
 * <p>The children say what the caller can do about it, and nothing else; each has one exit code for the command line
 * and one HTTP status, given by {@link Kind}. A message has three parts: what is wrong with the actual value, where
 * (file, key, tensor, row), and what to do.
 */
public abstract sealed class LoricaException extends RuntimeException
        permits LoricaException.BadInput,
                LoricaException.Incompatible,
                LoricaException.NotFound,
                LoricaException.Busy,
                LoricaException.Unsupported,
                LoricaException.Diverged,
                LoricaException.Internal {

    private static final long serialVersionUID = 1L;

    /** What went wrong, with the exit code of the command line (1 failed work, 2 wrong use) and the HTTP status. */
    public enum Kind {
        BAD_INPUT(2, 400),
        INCOMPATIBLE(1, 409),
        NOT_FOUND(2, 404),
        BUSY(1, 429),
        UNSUPPORTED(2, 422),
        DIVERGED(1, 500),
        INTERNAL(1, 500);

        private final int exitCode;
        private final int httpStatus;

        Kind(int exitCode, int httpStatus) {
            this.exitCode = exitCode;
            this.httpStatus = httpStatus;
        }

        public int exitCode() {
            return exitCode;
        }

        public int httpStatus() {
            return httpStatus;
        }
    }

    private final Kind kind;

    private LoricaException(Kind kind, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.kind = kind;
    }

    public Kind kind() {
        return kind;
    }

    /** The same with where it happened in front, for one of several pieces of work. */
    public LoricaException in(String where) {
        String message = where + ": " + getMessage();
        LoricaException named = switch (this) {
            case BadInput _ -> new BadInput(message);
            case Incompatible _ -> new Incompatible(message);
            case NotFound _ -> new NotFound(message);
            case Busy _ -> new Busy(message);
            case Unsupported _ -> new Unsupported(message);
            case Diverged _ -> new Diverged(message);
            case Internal _ -> new Internal(message);
        };
        named.addSuppressed(this);
        return named;
    }

    /** A value, file or request is malformed: mend it and try again. */
    public static final class BadInput extends LoricaException {
        private static final long serialVersionUID = 1L;

        public BadInput(String message) {
            super(Kind.BAD_INPUT, message, null);
        }

        public BadInput(String message, Throwable cause) {
            super(Kind.BAD_INPUT, message, cause);
        }
    }

    /** Two well-formed things do not belong together: an adapter and another base, a checkpoint and another run. */
    public static final class Incompatible extends LoricaException {
        private static final long serialVersionUID = 1L;

        public Incompatible(String message) {
            super(Kind.INCOMPATIBLE, message, null);
        }
    }

    /** A named file, model, adapter or tensor does not exist. */
    public static final class NotFound extends LoricaException {
        private static final long serialVersionUID = 1L;

        public NotFound(String message) {
            super(Kind.NOT_FOUND, message, null);
        }
    }

    /** There is no room now (memory budget, queue): try again later or with less. */
    public static final class Busy extends LoricaException {
        private static final long serialVersionUID = 1L;

        public Busy(String message) {
            super(Kind.BUSY, message, null);
        }
    }

    /** Well-formed, but Lorica cannot do it; the message says what it can do instead. */
    public static final class Unsupported extends LoricaException {
        private static final long serialVersionUID = 1L;

        public Unsupported(String message) {
            super(Kind.UNSUPPORTED, message, null);
        }
    }

    /** Training left the finite numbers. */
    public static final class Diverged extends LoricaException {
        private static final long serialVersionUID = 1L;

        public Diverged(String message) {
            super(Kind.DIVERGED, message, null);
        }
    }

    /** The machine failed us (disk, native library), or a bug. */
    public static final class Internal extends LoricaException {
        private static final long serialVersionUID = 1L;

        public Internal(String message) {
            super(Kind.INTERNAL, message, null);
        }

        public Internal(String message, Throwable cause) {
            super(Kind.INTERNAL, message, cause);
        }
    }
}
