package io.lorica.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.adapter.Options;
import io.lorica.model.WeightFormat;
import io.lorica.tensor.DType;
import io.lorica.tensor.LoricaException;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TrainConfigTest {

    @Test
    void defaults_areTheDocumentedOnes() {
        assertThat(TrainConfig.defaults())
                .isEqualTo(new TrainConfig(
                        2e-4,
                        8,
                        1,
                        1,
                        0,
                        Schedule.LINEAR,
                        0,
                        0,
                        0,
                        0.9,
                        0.999,
                        1e-8,
                        1,
                        1,
                        1e-6,
                        1024,
                        false,
                        false,
                        42,
                        0,
                        0,
                        2,
                        0,
                        0,
                        DType.BF16,
                        WeightFormat.DENSE));
    }

    @Test
    void parse_everyKey_isHonoured() {
        ObjectNode json = TinyRun.json("""
                {'learning_rate': 0.5, 'per_device_train_batch_size': 3, 'gradient_accumulation_steps': 4,
                 'num_train_epochs': 2.5, 'max_steps': 11, 'lr_scheduler_type': 'cosine', 'warmup_steps': 2,
                 'weight_decay': 0.01, 'adam_beta1': 0.8, 'adam_beta2': 0.95, 'adam_epsilon': 1e-6,
                 'max_grad_norm': 0.3, 'loraplus_lr_ratio': 16, 'loraplus_lr_embedding': 1e-5, 'max_length': 77,
                 'group_by_length': true, 'gradient_checkpointing': true, 'seed': 7, 'eval_steps': 5,
                 'save_steps': 6, 'save_total_limit': 9, 'early_stopping_patience': 8, 'threads': 2,
                 'dtype': 'float32', 'weights': 'int4'}""");
        Options options = new Options(json, "test");
        TrainConfig config = TrainConfig.parse(options);
        options.refuseUnknown();
        assertThat(config)
                .isEqualTo(new TrainConfig(
                        0.5,
                        3,
                        4,
                        2.5,
                        11,
                        Schedule.COSINE,
                        2,
                        0,
                        0.01,
                        0.8,
                        0.95,
                        1e-6,
                        0.3,
                        16,
                        1e-5,
                        77,
                        true,
                        true,
                        7,
                        5,
                        6,
                        9,
                        8,
                        2,
                        DType.F32,
                        WeightFormat.INT4));
        assertThat(TinyRun.config("{'warmup_ratio': 0.25}").warmupRatio()).isEqualTo(0.25);
    }

    @Test
    void toMap_namesEveryKeyThatIsRead() {
        Options options = new Options(TinyRun.json("{}"), "test");
        TrainConfig.parse(options);
        Map<String, String> map = new LinkedHashMap<>(TrainConfig.defaults().toMap());
        assertThat(map).hasSize(TrainConfig.class.getRecordComponents().length);
        ObjectNode again = TinyRun.json("{}");
        map.keySet().forEach(again::putNull);
        Options all = new Options(again, "test");
        TrainConfig.parse(all);
        all.refuseUnknown();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            {'learning_rate': -1}                               | learning_rate
            {'adam_beta2': 1}                                   | adam_beta2
            {'max_length': 1}                                   | max_length
            {'lr_scheduler_type': 'cosin'}                      | cosine
            {'warmup_ratio': 1.5}                               | warmup_ratio
            {'seed': 'x'}                                       | seed
            {'warmup_steps': 3, 'warmup_ratio': 0.1}            | exclude each other
            {'early_stopping_patience': 2}                      | eval_steps
            {'num_train_epochs': 0}                             | max_steps
            """)
    void parse_badValue_isRefusedByName(String settings, String named) {
        assertThatThrownBy(() -> TinyRun.config(settings))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining(named);
    }

    @Test
    void parse_unknownKey_isRefusedWithTheNearest() {
        Options options = new Options(TinyRun.json("{'learning_rat': 1}"), "run.yaml");
        TrainConfig.parse(options);
        assertThatThrownBy(options::refuseUnknown)
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("run.yaml")
                .hasMessageContaining("did you mean 'learning_rate'");
    }

    @Test
    void totalSteps_epochsAndMaxSteps_countAsTransformersDoes() {
        assertThat(TinyRun.config("{'num_train_epochs': 2}").totalSteps(17)).isEqualTo(6);
        assertThat(TinyRun.config("{'num_train_epochs': 0.5}").totalSteps(17)).isEqualTo(2);
        assertThat(TinyRun.config("{'max_steps': 3, 'num_train_epochs': 2}").totalSteps(17))
                .isEqualTo(3);
        assertThat(TinyRun.config("{'warmup_ratio': 0.1}").warmUp(25)).isEqualTo(3);
    }
}
