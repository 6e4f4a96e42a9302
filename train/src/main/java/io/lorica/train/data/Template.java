package io.lorica.train.data;

import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Names;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** How conversations and prompts become text: setting {@code template}. */
public enum Template {
    /** Through the model's chat template where it has one, else plain. */
    AUTO,
    /** Through the chat template; a model without one is refused. */
    CHAT,
    /** As written: prompt and completion one after the other, then the end token. */
    PLAIN;

    public static Template parse(String name) {
        List<String> names = Arrays.stream(values())
                .map(value -> value.name().toLowerCase(Locale.ROOT))
                .toList();
        int index = names.indexOf(name);
        if (index < 0) {
            throw new LoricaException.BadInput(
                    "template '" + name + "' is unknown" + Names.didYouMean(name, names) + "; choose one of " + names);
        }
        return values()[index];
    }
}
