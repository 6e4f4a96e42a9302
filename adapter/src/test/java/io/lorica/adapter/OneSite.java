package io.lorica.adapter;

import io.lorica.model.BaseModel;
import io.lorica.model.ModelConfig;
import io.lorica.model.Parameter;
import io.lorica.model.Site;
import io.lorica.model.Weights;
import io.lorica.tensor.DType;
import io.lorica.tensor.SafetensorsFile;
import java.nio.file.Path;
import java.util.SequencedMap;

/** A model of one linear map {@code w}, for methods that look at weights only. */
record OneSite(Weights weights) implements BaseModel {

    /** @param file with {@code w.weight: [out, in]} */
    static OneSite open(Path file, long out, long in) {
        Weights weights = new Weights(SafetensorsFile.open(file), DType.F32);
        weights.linear("w", out, in, false);
        return new OneSite(weights);
    }

    @Override
    public ModelConfig config() {
        return new ModelConfig(TinyModels.json("{'model_type': 'llama'}"), "one site");
    }

    @Override
    public DType dtype() {
        return weights.dtype();
    }

    @Override
    public SequencedMap<String, Site> sites() {
        return weights.sites();
    }

    @Override
    public SequencedMap<String, Parameter> parameters() {
        return weights.parameters();
    }

    @Override
    public String outputHead() {
        return "";
    }

    @Override
    public void close() {
        weights.close();
    }
}
