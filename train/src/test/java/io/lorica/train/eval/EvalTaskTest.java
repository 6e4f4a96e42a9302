package io.lorica.train.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.lorica.tensor.LoricaException;
import io.lorica.train.eval.MultipleChoice.Option;
import io.lorica.train.eval.MultipleChoice.Question;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EvalTaskTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    private Question first(String task, String ending, String... lines) throws IOException {
        Path file = Files.write(folder.resolve("rows" + ending), List.of(lines));
        return EvalTask.named(task).questions(file).getFirst();
    }

    private static List<String> texts(Question question) {
        return question.options().stream().map(Option::text).toList();
    }

    @Test
    void questions_arc_areTheHarnesssPrompts() throws IOException {
        Question question = first("arc_easy", ".jsonl", """
                {"instruction": "Please choose the correct answer to the question: What is wet?\\n\\nAnswer1: Fire. Answer2: Rain.\\n\\nAnswer format: answer1/answer2", "answer": "answer2"}\
                """);
        assertThat(question.options().getFirst().context()).isEqualTo("Question: What is wet?\nAnswer:");
        assertThat(texts(question)).containsExactly(" Fire.", " Rain.");
        assertThat(question.answer()).isEqualTo(1);
    }

    @Test
    void questions_boolq_haveNoThenYes() throws IOException {
        Question question = first("boolq", ".jsonl", """
                {"instruction": "Please answer the following question with true or false, question: is rain wet?\\n\\nAnswer format: true/false", "answer": "true"}\
                """);
        assertThat(question.options().getFirst().context()).isEqualTo("Question: is rain wet?\nAnswer:");
        assertThat(texts(question)).containsExactly(" no", " yes");
        assertThat(question.answer()).isEqualTo(1);
    }

    @Test
    void questions_winogrande_scoreTheEndAfterEachChoice() throws IOException {
        Question question = first("winogrande", ".jsonl", """
                {"instruction": "Please choose the correct answer to fill in the blank to complete the given sentence: Sarah beat Maria so _ smiled.\\n\\nOption1: Sarah Option2: Maria Answer format: option1/option2", "answer": "option1"}\
                """);
        assertThat(question.options())
                .containsExactly(
                        new Option("Sarah beat Maria so Sarah", " smiled."),
                        new Option("Sarah beat Maria so Maria", " smiled."));
    }

    @Test
    void questions_hellaswag_loseWikiHowsMarks() throws IOException {
        Question question = first("hellaswag", ".jsonl", """
                {"context": "Cooking: Boil. [header] water [title] Now", "endings": ["a  b", "c"], "label": 1}\
                """);
        assertThat(question.options().getFirst()).isEqualTo(new Option("Cooking: Boil. water. Now", " a b"));
    }

    @Test
    void questions_sst2_readLabelWords() throws IOException {
        Question question = first("sst2", ".tsv", "sentence\tlabel", "a \"fine film \t1");
        assertThat(question.options().getFirst())
                .isEqualTo(new Option(
                        "a \"fine film\nQuestion: Is this sentence positive or negative?\nAnswer:", " negative"));
        assertThat(question.answer()).isEqualTo(1);
    }

    @Test
    void questions_trec_readTheCoarseLabelOfALine() throws IOException {
        Question question = first("trec", ".txt", "NUM:dist How far is it ?");
        assertThat(question.options().getFirst().context()).startsWith("How far is it ?\nQuestion: ");
        assertThat(question.answer()).isEqualTo(5);
    }

    @Test
    void locate_noDirectoryGiven_saysHowToGiveIt() {
        assertThatThrownBy(() -> EvalTask.named("piqa").locate(Map.of()))
                .isInstanceOf(LoricaException.NotFound.class)
                .hasMessageContaining("set LORICA_DATA");
        assertThatThrownBy(() -> EvalTask.named("piqa").locate(Map.of("LORICA_DATA", folder.toString())))
                .isInstanceOf(LoricaException.NotFound.class)
                .hasMessageContaining("test.jsonl, which does not exist");
    }

    @Test
    void named_misspelt_suggestsTheNearest() {
        assertThatThrownBy(() -> EvalTask.named("arc_eazy"))
                .isInstanceOf(LoricaException.BadInput.class)
                .hasMessageContaining("did you mean 'arc_easy'?");
    }

    @Test
    void questions_sharedDataSets_areAllRead() {
        String root = System.getProperty("LORICA_DATA", System.getenv().getOrDefault("LORICA_DATA", ""));
        Assumptions.assumeFalse(root.isBlank(), "set LORICA_DATA to the folder of shared data to run this test");
        for (EvalTask task : EvalTask.ALL) {
            Path file = task.locate(Map.of("LORICA_DATA", root));
            if (task.question() != null) {
                assertThat(task.questions(file)).as(task.name()).hasSizeGreaterThan(400);
            }
        }
    }
}
