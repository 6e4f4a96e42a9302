package io.lorica.adapter;

/** How a method's tensors are named in its file, where that is not as PEFT names them. */
public interface FileKeys {

    /** The state's own names. */
    FileKeys OWN = new FileKeys() {
        @Override
        public String toFile(String key) {
            return key;
        }

        @Override
        public String toState(String key) {
            return key;
        }
    };

    /** @param key of {@link Adapter#state} */
    String toFile(String key);

    /** The inverse; also of names that only others write. A name it does not know stays as it is. */
    String toState(String key);
}
