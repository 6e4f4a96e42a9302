package io.lorica.train.data;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.lorica.model.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.NotBlank;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.constraints.StringLength;

class MaskProperties {
    private static final Tokenizer CHAT = TestTokenizers.bytes(TestTokenizers.CHATML, "Ċ Ċ");

    @Property(tries = 100)
    void encode_anyChat_targetsAreTheAnswersWithTheirEnds(
            @ForAll @Size(min = 1, max = 4) List<@StringLength(max = 20) @NotBlank String> turns) throws IOException {
        ObjectNode values = JsonNodeFactory.instance.objectNode();
        StringBuilder expected = new StringBuilder();
        for (String turn : turns) {
            String text = turn.codePoints()
                    .filter(c -> c < 0xd800)
                    .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                    .toString();
            values.withArray("messages").addObject().put("role", "user").put("content", text);
            values.withArray("messages").addObject().put("role", "assistant").put("content", text);
            expected.append(text).append("<|im_end|>");
        }
        Path file = Files.createTempFile("row", ".jsonl");
        Row row = new Row(Rows.of(file), 1, values);

        Encoded encoded = new PromptEncoder(CHAT, Template.AUTO).encode(row, new DataFormat.Chat("messages"));
        Files.delete(file);

        assertThat(ExampleReaderTest.targets(CHAT, Example.ofTokens(encoded.tokens(), encoded.supervised())))
                .isEqualTo(expected.toString());
    }
}
