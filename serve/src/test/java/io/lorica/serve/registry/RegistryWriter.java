package io.lorica.serve.registry;

/** A process that changes a registry until it is killed, and says each change once it is acknowledged. */
final class RegistryWriter {
    private RegistryWriter() {}

    /** @param args the registry's URL, and the number with which to begin */
    public static void main(String[] args) {
        try (AdapterRegistry registry = AdapterRegistry.open(args[0])) {
            for (int i = Integer.parseInt(args[1]); i < Integer.MAX_VALUE; i++) {
                registry.add(Rows.row("a" + i, i));
                say("+" + i);
                if (i % 3 == 2) {
                    registry.remove("a" + (i - 1));
                    say("-" + (i - 1));
                }
            }
        }
    }

    private static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
