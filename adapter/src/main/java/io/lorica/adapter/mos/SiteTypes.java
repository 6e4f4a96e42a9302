package io.lorica.adapter.mos;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.Set;
import java.util.function.Function;
import java.util.function.ToLongFunction;
import java.util.stream.Collectors;

/**
 * Which sites share a pool: those with the same last part of the name ({@code q_proj}); types of equal shape do not share, as in
 * the authors' code. Where sites of one name differ in shape, each shape is a type.
 */
final class SiteTypes {
    private SiteTypes() {}

    static <T> SequencedMap<String, List<T>> of(
            List<T> sites, Function<T, String> leaf, ToLongFunction<T> in, ToLongFunction<T> out) {
        Function<T, String> sized = site -> leaf.apply(site) + "_" + out.applyAsLong(site) + "x" + in.applyAsLong(site);
        var shapes = sites.stream().collect(Collectors.groupingBy(leaf, Collectors.mapping(sized, Collectors.toSet())));
        return sites.stream()
                .collect(Collectors.groupingBy(
                        site -> shapes.getOrDefault(leaf.apply(site), Set.of()).size() > 1
                                ? sized.apply(site)
                                : leaf.apply(site),
                        LinkedHashMap::new,
                        Collectors.toList()));
    }
}
