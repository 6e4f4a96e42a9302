package io.lorica.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import org.junit.jupiter.api.Test;

class BenchExpertsCommandTest {

    @Test
    void experts_tinyModel_timesLoraAndEachNumber() throws IOException {
        Cli timed = Cli.run(
                "bench",
                "experts",
                "--model",
                "lorica-tiny",
                "--experts",
                "1,3",
                "--tokens",
                "8",
                "--rounds",
                "1",
                "--json");
        assertThat(timed.code()).as(timed.err()).isZero();
        JsonNode results = new ObjectMapper().readTree(timed.out()).get("experts");
        assertThat(results)
                .hasSize(3)
                .allSatisfy(one -> assertThat(one.get("seconds").asDouble()).isPositive());
        assertThat(results.get(2).get("experts").asInt()).isEqualTo(3);
        assertThat(results.get(2).get("trained").asLong())
                .isGreaterThan(results.get(1).get("trained").asLong());
    }
}
