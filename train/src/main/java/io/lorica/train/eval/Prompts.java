package io.lorica.train.eval;

import io.lorica.train.data.Row;
import io.lorica.train.eval.MultipleChoice.Option;
import io.lorica.train.eval.MultipleChoice.Question;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Rows of the built-in tasks as questions; texts as lm-evaluation-harness's task files have them. */
final class Prompts {
    /** {@code Please …: stem  Answer1: … Answer2: …  Answer format: answer1/answer2}. */
    private static final Pattern LISTED = Pattern.compile(
            "(?s)^Please [^:]*:\\s*(.*?)\\s*((?:Answer|Solution|Option|Ending)1: .*?)\\s*Answer format: (\\S+)\\s*$");

    private static final Pattern NUMBER = Pattern.compile("\\s*(?:Answer|Solution|Option|Ending)\\d: ");
    private static final Pattern BOOLQ =
            Pattern.compile("(?s)^Please answer [^:]*question:\\s*(.*?)\\s*Answer format: true/false\\s*$");

    private Prompts() {}

    private record Listed(String stem, List<String> choices, int answer) {
        static Listed of(Row row) {
            Matcher matcher = matcher(LISTED, row);
            List<String> choices =
                    Arrays.stream(NUMBER.split(matcher.group(2))).skip(1).toList();
            List<String> names = List.of(matcher.group(3).split("/"));
            if (choices.size() != names.size()) {
                throw row.bad("there are " + choices.size() + " choices, but the answer format names " + names.size());
            }
            return new Listed(matcher.group(1), choices, index(row, names, row.text("answer")));
        }
    }

    private static Matcher matcher(Pattern pattern, Row row) {
        Matcher matcher = pattern.matcher(row.text("instruction"));
        if (!matcher.matches()) {
            throw row.bad("column 'instruction' has not the form of this task");
        }
        return matcher;
    }

    private static int index(Row row, List<String> names, String answer) {
        int index = names.indexOf(answer);
        if (index < 0) {
            throw row.bad("the answer '" + answer + "' is none of " + names);
        }
        return index;
    }

    private static Question spaced(String context, List<String> choices, int answer) {
        return new Question(
                context, choices.stream().map(choice -> " " + choice).toList(), answer);
    }

    static Question question(Row row) {
        Listed listed = Listed.of(row);
        return spaced("Question: " + listed.stem + "\nAnswer:", listed.choices, listed.answer);
    }

    /** OpenBookQA: the bare stem. */
    static Question stem(Row row) {
        Listed listed = Listed.of(row);
        return spaced(listed.stem, listed.choices, listed.answer);
    }

    static Question social(Row row) {
        Listed listed = Listed.of(row);
        return spaced("Q: " + listed.stem + "\nA:", listed.choices, listed.answer);
    }

    static Question boolq(Row row) {
        String text = matcher(BOOLQ, row).group(1).replaceFirst("\\?$", "");
        return spaced(
                "Question: " + text + "?\nAnswer:",
                List.of("no", "yes"),
                index(row, List.of("false", "true"), row.text("answer")));
    }

    /** The same end of the sentence after each choice in the gap; which choice makes it likelier? */
    static Question winogrande(Row row) {
        Listed listed = Listed.of(row);
        int gap = listed.stem.indexOf('_');
        if (gap < 0) {
            throw row.bad("the sentence has no gap '_'");
        }
        String end = " " + listed.stem.substring(gap + 1).strip();
        List<Option> options = new ArrayList<>();
        listed.choices.forEach(choice -> options.add(new Option(listed.stem.substring(0, gap) + choice, end)));
        return new Question(options, listed.answer);
    }

    static Question hellaswag(Row row) {
        List<String> endings = new ArrayList<>();
        row.required("endings").forEach(ending -> endings.add(clean(ending.asText())));
        return spaced(clean(row.text("context")), endings, index(row, List.of("0", "1", "2", "3"), row.text("label")));
    }

    /** WikiHow's marks: {@code [title]} ends a sentence, other brackets say nothing. */
    private static String clean(String text) {
        return text.strip()
                .replace(" [title]", ". ")
                .replaceAll("\\[.*?\\]", "")
                .replace("  ", " ");
    }

    private static Question ask(
            Row row, String text, String question, List<String> words, String label, List<String> labels) {
        return spaced(text + "\nQuestion: " + question + "\nAnswer:", words, index(row, labels, label));
    }

    static Question sst2(Row row) {
        return ask(
                row,
                row.text("sentence").strip(),
                "Is this sentence positive or negative?",
                List.of("negative", "positive"),
                row.text("label").strip(),
                List.of("0", "1"));
    }

    static Question cola(Row row) {
        return ask(
                row,
                row.text("sentence"),
                "Does this sentence make sense?",
                List.of("no", "yes"),
                row.text("label"),
                List.of("0", "1"));
    }

    static Question mrpc(Row row) {
        return ask(
                row,
                "Sentence 1: " + row.text("#1 String") + "\nSentence 2: " + row.text("#2 String"),
                "Do both sentences mean the same thing?",
                List.of("no", "yes"),
                row.text("Quality"),
                List.of("0", "1"));
    }

    static Question rte(Row row) {
        return spaced(
                row.text("premise") + "\nQuestion: " + row.text("hypothesis") + " True or False?\nAnswer:",
                List.of("True", "False"),
                index(row, List.of("entailment", "not_entailment"), row.text("label")));
    }

    static Question agnews(Row row) {
        List<String> labels = List.of("World", "Sports", "Business", "Sci/Tech");
        return ask(
                row,
                row.text("text").strip(),
                "Is this news about the world, sports, business or technology?",
                List.of("world", "sports", "business", "technology"),
                row.text("label").strip(),
                labels);
    }

    /** A line is {@code COARSE:fine question}. */
    static Question trec(Row row) {
        String line = row.text("text");
        int colon = line.indexOf(':');
        int space = line.indexOf(' ');
        if (colon < 0 || space < colon) {
            throw row.bad("the line does not begin with COARSE:fine");
        }
        return ask(
                row,
                line.substring(space + 1),
                "Does this ask for an abbreviation, an entity, a description, a person, a place or a number?",
                List.of("abbreviation", "entity", "description", "person", "place", "number"),
                line.substring(0, colon),
                List.of("ABBR", "ENTY", "DESC", "HUM", "LOC", "NUM"));
    }
}
