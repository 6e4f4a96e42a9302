/** The engine behind HTTP: OpenAI's API for one base and its adapters. */
@NullMarked
package io.lorica.server;

import org.jspecify.annotations.NullMarked;
