package io.lorica.adapter;

import java.util.List;

/**
 * What {@code lorica methods} says of a method.
 *
 * @param name as given to {@code --method}
 * @param peftType as written to {@code adapter_config.json}
 * @param paper authors, title, year
 * @param kind one of the catalogue's kinds: {@code low-rank}, {@code starts from weights}, {@code starts from data},
 *     {@code other form}, {@code training rule}
 * @param needs what it needs beyond the base's shapes: {@code nothing}, {@code weights}, {@code activations},
 *     {@code gradients}
 * @param mergeable whether the weight can absorb it
 * @param readByPeft whether Hugging Face PEFT loads what is saved
 */
public record MethodInfo(
        String name,
        String peftType,
        String summary,
        String paper,
        String kind,
        String needs,
        boolean mergeable,
        boolean readByPeft,
        List<Key> parameters) {

    /**
     * @param name the key, as PEFT spells it
     * @param defaultValue as JSON would write it
     */
    public record Key(String name, String defaultValue, String description) {}
}
