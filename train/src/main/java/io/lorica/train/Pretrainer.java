package io.lorica.train;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.model.BpeTrainer;
import io.lorica.model.CausalModel;
import io.lorica.model.ModelConfig;
import io.lorica.model.ModelLoader;
import io.lorica.model.Tokenizer;
import io.lorica.model.TokenizerDefinition;
import io.lorica.tensor.AtomicFile;
import io.lorica.tensor.DType;
import io.lorica.tensor.Hashing;
import io.lorica.tensor.LoricaException;
import io.lorica.tensor.Seed;
import io.lorica.train.data.Example;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Trains a small Llama-architecture model and its tokenizer from plain text, with the trainer that adapters use, and
 * writes a Hugging Face directory.
 *
 * <p>Text is cut into pieces of {@code max_length} tokens; every fiftieth is held out. Weights are float32 while they
 * are trained and bfloat16 in the file.
 */
public final class Pretrainer {
    private static final int HELD_OUT_EVERY = 50;

    private final PretrainConfig model;
    private final TrainConfig config;
    private final Path out;

    public Pretrainer(PretrainConfig model, TrainConfig config, Path out) {
        this.model = model;
        this.config = config;
        this.out = out;
    }

    /** A trainer that is ready to run, for callers that want to stop it; see {@link #run}. */
    @FunctionalInterface
    public interface Started {
        void with(Trainer trainer);
    }

    /**
     * Runs to the end and writes the model.
     *
     * @param texts UTF-8 files
     * @param resume whether to go on from the newest checkpoint in the directory
     */
    public Trainer.Outcome run(List<Path> texts, boolean resume, TrainListener listener, Started started) {
        List<String> documents = texts.stream().map(Pretrainer::read).toList();
        TokenizerDefinition definition = BpeTrainer.of(model.vocabSize())
                .train(documents.stream().flatMap(String::lines).map(line -> line + "\n"));
        definition.write(out);
        try (Tokenizer tokenizer = definition.load()) {
            ModelConfig modelConfig = modelConfig(tokenizer);
            AtomicFile.writeString(
                    out.resolve("config.json"), modelConfig.json().toPrettyString() + "\n");
            AtomicFile.writeString(out.resolve("generation_config.json"), generation(tokenizer) + "\n");
            List<Example> pieces = pieces(documents, tokenizer);
            List<Example> heldOut = every(pieces, true);
            FreshWeights weights = new FreshWeights(
                    model.shapes(tokenizer.vocabularySize()),
                    model.numHiddenLayers(),
                    new Seed(config.seed()).of("weights"));
            try (CausalModel fresh = (CausalModel) ModelLoader.load(weights, modelConfig, DType.F32);
                    FullTrainee trainee = new FullTrainee(fresh, DType.BF16)) {
                Trainer trainer = new Trainer(trainee, config, listener);
                started.with(trainer);
                Trainer.Run run = new Trainer.Run(out, identity(documents), resume);
                Trainer.Outcome outcome = trainer.train(every(pieces, false), heldOut, run);
                if (!outcome.interrupted()) {
                    trainee.save(out);
                }
                return outcome;
            }
        }
    }

    private ModelConfig modelConfig(Tokenizer tokenizer) {
        return model.modelConfig(
                tokenizer.vocabularySize(),
                tokenizer.bos().orElseThrow(),
                tokenizer.eos().orElseThrow(),
                tokenizer.pad().orElseThrow());
    }

    /** An answer ends with the text, or with the turn of a chat. */
    private static String generation(Tokenizer tokenizer) {
        ObjectNode json = new ObjectMapper().createObjectNode();
        json.putArray("eos_token_id")
                .add(tokenizer.eos().orElseThrow())
                .add(tokenizer.id(BpeTrainer.TURN_END).orElseThrow());
        return json.toPrettyString();
    }

    private Map<String, String> identity(List<String> documents) {
        Hashing hash = new Hashing();
        documents.forEach(hash::add);
        Map<String, String> identity = new LinkedHashMap<>();
        identity.put("model", model.toString());
        identity.put("training", config.toString());
        identity.put("text", hash.hex());
        return identity;
    }

    /** Each document framed by end-of-text, cut into pieces of the context's length. */
    private List<Example> pieces(List<String> documents, Tokenizer tokenizer) {
        int length = Math.min(config.maxLength(), model.maxPositionEmbeddings());
        long end = tokenizer.eos().orElseThrow();
        List<Example> pieces = new ArrayList<>();
        for (String document : documents) {
            long[] ids = tokenizer.encode(document, false);
            for (int from = 0; from < ids.length; from += length - 1) {
                int count = Math.min(length - 1, ids.length - from);
                long[] tokens = new long[count + 1];
                tokens[0] = from == 0 ? end : ids[from - 1];
                System.arraycopy(ids, from, tokens, 1, count);
                boolean[] supervised = new boolean[tokens.length];
                Arrays.fill(supervised, 1, tokens.length, true);
                pieces.add(Example.ofTokens(tokens, supervised));
            }
        }
        if (pieces.size() < 2) {
            throw new LoricaException.BadInput("the text is too short: it gives " + pieces.size()
                    + " pieces of max_length " + length + ", and one must be held out");
        }
        return pieces;
    }

    private static List<Example> every(List<Example> pieces, boolean heldOut) {
        List<Example> chosen = new ArrayList<>();
        for (int i = 0; i < pieces.size(); i++) {
            if ((i % HELD_OUT_EVERY == HELD_OUT_EVERY / 2 || (pieces.size() <= HELD_OUT_EVERY / 2 && i == 0))
                    == heldOut) {
                chosen.add(pieces.get(i));
            }
        }
        return chosen;
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (java.nio.charset.MalformedInputException e) {
            throw new LoricaException.BadInput(file + " is not UTF-8 text; convert it first", e);
        } catch (IOException e) {
            throw new LoricaException.NotFound("cannot read " + file + ": " + e.getMessage());
        }
    }
}
