package io.lorica.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.lorica.server.access.Keys;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.openqa.selenium.WebElement;

/** The page in a real browser. */
class BrowserTest {
    private static final String KEY = "root-key";

    @TempDir
    private static Path folder;

    private static @Nullable Browser opened;

    @SuppressWarnings("NullAway.Init")
    private static TestServer server;

    @SuppressWarnings("NullAway.Init")
    private Browser browser;

    @BeforeAll
    static void start() throws IOException {
        opened = Browser.open();
        Path adapters = Files.createDirectories(folder.resolve("adapters"));
        Path keys =
                Files.writeString(folder.resolve("keys.yaml"), """
                keys:
                  - {tenant: acme, sha256: %s}
                  - {tenant: root, sha256: %s, admin: true}
                """.formatted(Keys.hash("acme-key"), Keys.hash(KEY)));
        server = new TestServer(adapters, options -> options.withKeys(Keys.read(keys)));
    }

    @AfterAll
    static void close() {
        Browser last = opened;
        if (last != null) {
            last.close();
            server.close();
        }
    }

    @BeforeEach
    void load() {
        browser = Objects.requireNonNull(opened);
        browser.go(server.uri("/").toString());
    }

    @AfterEach
    void nothingComplained() {
        assertThat(browser.complaints()).isEmpty();
        browser.forget();
    }

    private void enter(String key) {
        browser.fill("#key", key + "\n");
        browser.await("the list of adapters", page -> page.text("#rows").contains("tone"));
    }

    private void send(String message) {
        browser.fill("#temperature", "0");
        browser.fill("#tokens", "12");
        browser.fill("#message", message + "\n");
        browser.await(
                "the end of the answers",
                page -> page.all("[aria-busy=true]").isEmpty()
                        && !page.text(".log .assistant .text").isEmpty()
                        && page.find("#send").isEnabled());
    }

    /** What the API answers to the same. */
    private static String answer(String model, String message) {
        return TestServer.json(server.post(
                        "/v1/chat/completions",
                        "{'model': '" + model + "', 'temperature': 0, 'max_tokens': 12,"
                                + " 'messages': [{'role': 'user', 'content': '" + message + "'}]}",
                        KEY))
                .at("/choices/0/message/content")
                .asText();
    }

    private String shown(String log) {
        return String.valueOf(browser.find(log + " .assistant .text").getDomProperty("textContent"));
    }

    @Test
    void page_withoutKey_asksForOne() {
        browser.await("a notice", page -> page.text("#notice").contains("API key"));
        enter(KEY);
        browser.await("no notice", page -> !page.find("#notice").isDisplayed());
    }

    @Test
    void chat_withAnAdapter_showsItsAnswer() {
        enter(KEY);
        browser.fill("#model-1", "tone");
        send("Good morrow");
        assertThat(shown("#log-1")).isEqualTo(answer("tone", "Good morrow")).isNotEmpty();
    }

    @Test
    void compare_twoModels_showsEachAnswer() {
        enter(KEY);
        browser.find("#compare").click();
        browser.fill("#model-1", "tone");
        browser.fill("#model-2", "tone:0.5+law");
        send("Good morrow");
        assertThat(shown("#log-1")).isEqualTo(answer("tone", "Good morrow"));
        assertThat(shown("#log-2"))
                .isEqualTo(answer("tone:0.5+law", "Good morrow"))
                .isNotEqualTo(shown("#log-1"));
    }

    @Test
    void chat_withAnUnknownModel_showsTheRefusal() {
        enter(KEY);
        browser.fill("#model-1", "tune");
        browser.fill("#message", "Good morrow\n");
        browser.await("the refusal", page -> !page.all(".failure").isEmpty());
        assertThat(browser.text(".failure")).contains("did you mean 'tone'");
    }

    @Test
    void chat_stopped_saysSo() {
        enter(KEY);
        browser.fill("#message", "Good morrow\n" + Browser.ESCAPE);
        browser.await("the end", page -> page.find("#send").isEnabled());
        assertThat(browser.text(".failure")).isEqualTo("Stopped.");
    }

    @Test
    void keyboard_alone_isEnoughToChat() {
        browser.type(Browser.TAB);
        assertThat(browser.focused().getText()).isEqualTo("Skip to the message");
        browser.type(Browser.TAB, KEY, Browser.ENTER);
        browser.await("the list of adapters", page -> page.text("#rows").contains("tone"));
        List<String> order = new ArrayList<>();
        while (!order.contains("message")) {
            browser.type(Browser.TAB);
            order.add(String.valueOf(browser.focused().getDomAttribute("id")));
        }
        assertThat(order).containsSubsequence("compare", "clear", "model-1", "log-1", "message");
        browser.type("Good morrow", Browser.ENTER);
        browser.await("an answer", page -> !page.text("#log-1 .assistant .text").isEmpty());
        browser.type(Browser.ESCAPE);
        browser.await("the end", page -> page.find("#send").isEnabled());
    }

    @Test
    void controls_all_haveNames() {
        enter(KEY);
        browser.find("#compare").click();
        for (WebElement control : browser.all("button, input, textarea, [role=log], [role=region]")) {
            assertThat(control.getAccessibleName())
                    .as(String.valueOf(control.getDomProperty("outerHTML")))
                    .isNotEmpty();
        }
    }

    @Test
    void adapter_asZip_isAddedAndUnloaded() throws IOException {
        Path zip = folder.resolve("zipped one.zip");
        try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(zip))) {
            for (String name : new String[] {"adapter_config.json", "adapter_model.safetensors"}) {
                out.putNextEntry(new ZipEntry("zipped one/" + name));
                Files.copy(folder.resolve("adapters/tone").resolve(name), out);
            }
        }
        add("#zip", zip);
        assertThat(browser.find("#adapter-name").getDomProperty("value")).isEqualTo("zipped-one");
        browser.find("#add-button").click();
        browser.await("its row", page -> page.text("#rows").contains("zipped-one"));
        assertThat(browser.text("#add-status")).isEqualTo("zipped-one is served.");
        browser.find("button[aria-label='Unload zipped-one']").click();
        browser.await(
                "a way back",
                page -> !page.all("button[aria-label='Load zipped-one again']").isEmpty());
        assertThat(browser.text("#rows")).contains("unloaded");
    }

    @Test
    void adapter_unloaded_isLoadedAgainByKeyboard() {
        add("#folder", folder.resolve("adapters/law"));
        browser.fill("#adapter-name", "second");
        browser.find("#add-button").click();
        browser.await(
                "its row",
                page -> !page.all("button[aria-label='Unload second']").isEmpty());
        browser.find("button[aria-label='Unload second']").click();
        browser.await(
                "the focus on the way back",
                page -> !page.all("button[aria-label='Load second again']:focus")
                        .isEmpty());
        browser.type(Browser.ENTER);
        browser.await(
                "the focus on its new row",
                page -> !page.all("button[aria-label='Unload second']:focus").isEmpty());
        browser.find("button[aria-label='Chat with second']").click();
        send("Good morrow");
        assertThat(shown("#log-1")).isEqualTo(answer("law", "Good morrow"));
    }

    @Test
    void adapter_asFolder_isAddedAndAnswersAsItself() {
        add("#folder", folder.resolve("adapters/law"));
        browser.fill("#adapter-name", "copied");
        browser.find("#add-button").click();
        browser.await("its row", page -> page.text("#rows").contains("copied"));
        browser.find("button[aria-label='Chat with copied']").click();
        send("Good morrow");
        assertThat(shown("#log-1")).isEqualTo(answer("law", "Good morrow"));
    }

    @Test
    void adapter_asDroppedFolder_isAdded() throws IOException {
        Path dropped = Files.createDirectory(folder.resolve("dropped"));
        for (String name : new String[] {"adapter_config.json", "adapter_model.safetensors"}) {
            Files.copy(folder.resolve("adapters/tone").resolve(name), dropped.resolve(name));
        }
        enter(KEY);
        browser.drop(dropped, "#add");
        browser.await("what was chosen", page -> page.text("#add-status").contains("is chosen"));
        browser.find("#add-button").click();
        browser.await("its row", page -> page.text("#rows").contains("dropped"));
    }

    private void add(String field, Path what) {
        enter(KEY);
        browser.find(field).sendKeys(what.toString());
        browser.await("what was chosen", page -> page.text("#add-status").contains("is chosen"));
    }

    @Test
    void adapters_forOthers_cannotBeChanged() {
        enter("acme-key");
        assertThat(browser.find("#add").isDisplayed()).isFalse();
        assertThat(browser.text("#add-not")).contains("administrator");
        assertThat(browser.all("button[aria-label^='Unload']")).isEmpty();
    }

    @Test
    void filter_ofAdapters_leavesThoseThatMatch() {
        enter(KEY);
        browser.fill("#filter", "TON");
        browser.await("one row", page -> page.all("#rows tr").size() == 1);
        assertThat(browser.text("#rows")).contains("tone", "lora", "4");
    }

    @Test
    void charts_afterAnAnswer_haveLines() {
        enter(KEY);
        send("Good morrow");
        browser.await(
                "lines", page -> page.all(".chart path[class^=line][d*=L]").size() == 9);
        assertThat(browser.text("#charts")).contains("Tokens written a second", "Waiting: 0", "Process: ");
    }
}
