package io.lorica.server;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.logging.Level;
import org.openqa.selenium.By;
import org.openqa.selenium.Keys;
import org.openqa.selenium.WebElement;
import org.openqa.selenium.chrome.ChromeDriver;
import org.openqa.selenium.chrome.ChromeDriverService;
import org.openqa.selenium.chrome.ChromeOptions;
import org.openqa.selenium.interactions.Actions;
import org.openqa.selenium.logging.LogType;
import org.openqa.selenium.logging.LoggingPreferences;
import org.openqa.selenium.support.ui.WebDriverWait;

/** The system's Chromium without a window. Nothing is installed: where there is none, whoever opens it is skipped. */
final class Browser implements AutoCloseable {
    static final CharSequence TAB = Keys.TAB;
    static final CharSequence ENTER = Keys.ENTER;
    static final CharSequence ESCAPE = Keys.ESCAPE;
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private final ChromeDriver driver;

    private Browser(ChromeDriver driver) {
        this.driver = driver;
    }

    static Browser open() {
        Optional<Path> browser = onPath("chromium").or(() -> onPath("google-chrome"));
        Optional<Path> service = onPath("chromedriver");
        assumeTrue(
                browser.isPresent() && service.isPresent(),
                "no chromium and chromedriver on the PATH (Debian: chromium, chromium-driver), so the page is not tested");
        ChromeOptions options = new ChromeOptions();
        options.setBinary(browser.orElseThrow().toFile());
        options.addArguments(
                "--headless=new",
                "--no-sandbox", // the sandbox refuses to run as root, which containers do
                "--disable-dev-shm-usage",
                "--disable-gpu",
                "--window-size=1400,1100");
        LoggingPreferences logs = new LoggingPreferences();
        logs.enable(LogType.BROWSER, Level.ALL);
        options.setCapability("goog:loggingPrefs", logs);
        return new Browser(new ChromeDriver(
                new ChromeDriverService.Builder()
                        .usingDriverExecutable(service.orElseThrow().toFile())
                        .usingAnyFreePort()
                        .build(),
                options));
    }

    private static Optional<Path> onPath(String program) {
        return Arrays.stream(
                        Objects.requireNonNullElse(System.getenv("PATH"), "").split(File.pathSeparator))
                .map(directory -> Path.of(directory, program))
                .filter(Files::isExecutable)
                .findFirst();
    }

    void go(String address) {
        driver.get(address);
    }

    /** Forgets the key, which lives as long as the tab. */
    void forget() {
        driver.executeScript("sessionStorage.clear()");
    }

    WebElement find(String css) {
        return driver.findElement(By.cssSelector(css));
    }

    List<WebElement> all(String css) {
        return driver.findElements(By.cssSelector(css));
    }

    String text(String css) {
        return find(css).getText();
    }

    WebElement focused() {
        return driver.switchTo().activeElement();
    }

    /** Types at whatever has the focus. */
    void type(CharSequence... keys) {
        new Actions(driver).sendKeys(keys).perform();
    }

    /** Replaces what a field holds. */
    void fill(String css, String text) {
        find(css).sendKeys(Keys.chord(Keys.CONTROL, "a"), text);
    }

    /** Drags a file or folder of this machine onto an element. */
    void drop(Path what, String css) {
        WebElement target = find(css);
        driver.executeScript("arguments[0].scrollIntoView()", target);
        List<?> at = Objects.requireNonNull((List<?>) driver.executeScript(
                "const box = arguments[0].getBoundingClientRect(); return [box.x + box.width / 2, box.y + 10]",
                target));
        Map<String, Object> data =
                Map.of("items", List.of(), "files", List.of(what.toString()), "dragOperationsMask", 1);
        for (String type : List.of("dragEnter", "dragOver", "drop")) {
            driver.executeCdpCommand(
                    "Input.dispatchDragEvent", Map.of("type", type, "x", at.get(0), "y", at.get(1), "data", data));
        }
    }

    void await(String what, Predicate<Browser> condition) {
        new WebDriverWait(driver, PATIENCE).withMessage(what).until(_ -> condition.test(this));
    }

    /** What scripts and policy complained of since the last call. */
    List<String> complaints() {
        return driver.manage().logs().get(LogType.BROWSER).getAll().stream()
                .map(entry -> entry.getMessage())
                .filter(message ->
                        !message.contains("Failed to load resource")) // an answer of 4xx, which the page shows
                .toList();
    }

    @Override
    public void close() {
        driver.quit();
    }
}
