package io.lorica.adapter;

import io.lorica.model.BaseModel;
import io.lorica.model.Embedding;
import io.lorica.model.Site;
import java.util.List;

/**
 * What is known of a site before any weight is read: enough to choose targets and to check a configuration.
 *
 * @param in width of what goes in (rows of an embedding)
 * @param out width of what comes out
 * @param embedding whether the site is a table of rows and not a linear map
 * @param bias whether it adds a bias
 * @param head whether it is the model's output head
 */
public record SiteShape(String name, long in, long out, boolean embedding, boolean bias, boolean head) {

    public static SiteShape of(Site site, String outputHead) {
        return new SiteShape(
                site.name(),
                site.in(),
                site.out(),
                site instanceof Embedding,
                site instanceof io.lorica.model.Linear linear && linear.bias() != null,
                site.name().equals(outputHead));
    }

    /** Every site of a model, in the order of the forward pass. */
    public static List<SiteShape> of(BaseModel model) {
        return model.sites().values().stream()
                .map(site -> of(site, model.outputHead()))
                .toList();
    }

    /** The part after the last dot. */
    public String leaf() {
        return name.substring(name.lastIndexOf('.') + 1);
    }

    /** {@code model.layers.0.mlp.up_proj [1536 x 576]}, for messages. */
    public String describe() {
        return name + " [" + out + " x " + in + "]";
    }
}
