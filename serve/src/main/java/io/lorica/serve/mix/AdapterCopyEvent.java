package io.lorica.serve.mix;

import jdk.jfr.Category;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** An adapter is copied into pages of the engine's memory. */
@Name("lorica.AdapterCopy")
@Label("Adapter Copied Into Pages")
@Category({"Lorica", "Serving"})
@StackTrace(false)
final class AdapterCopyEvent extends Event {
    @Label("Adapter")
    String adapter = "";

    @Label("Pages")
    int pages;
}
