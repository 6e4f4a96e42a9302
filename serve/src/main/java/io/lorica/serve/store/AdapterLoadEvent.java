package io.lorica.serve.store;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** An adapter is read from its files, checked and turned into the form in which it serves. */
@Name("lorica.AdapterLoad")
@Label("Adapter Loaded")
@Category({"Lorica", "Serving"})
@StackTrace(false)
final class AdapterLoadEvent extends Event {
    @Label("Adapter")
    String adapter = "";

    @Label("Size")
    @DataAmount
    long bytes;
}
