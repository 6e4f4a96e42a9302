/** VeRA: two trained vectors around one random projection that all sites share. */
@NullMarked
package io.lorica.adapter.vera;

import org.jspecify.annotations.NullMarked;
