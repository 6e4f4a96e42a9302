package io.lorica.cli;

import static com.tngtech.archunit.base.DescribedPredicate.alwaysTrue;
import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.library.GeneralCodingRules;
import org.junit.jupiter.api.Test;

/** The arrows of ARCHITECTURE.md. A rule that fails names the class and the line that crosses it. */
class ArchitectureTest {
    private static final JavaClasses CLASSES = new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages("io.lorica");

    @Test
    void modules_dependencies_pointDownOnly() {
        layeredArchitecture()
                .consideringOnlyDependenciesInLayers()
                .layer("cli")
                .definedBy("io.lorica.cli..")
                .layer("bench")
                .definedBy("io.lorica.bench..")
                .layer("train")
                .definedBy("io.lorica.train..")
                .layer("server")
                .definedBy("io.lorica.server..")
                .layer("serve")
                .definedBy("io.lorica.serve..")
                .layer("adapter")
                .definedBy("io.lorica.adapter..")
                .layer("model")
                .definedBy("io.lorica.model..")
                .layer("tensor")
                .definedBy("io.lorica.tensor..")
                .whereLayer("cli")
                .mayNotBeAccessedByAnyLayer()
                .whereLayer("bench")
                .mayOnlyBeAccessedByLayers("cli")
                .whereLayer("train")
                .mayOnlyBeAccessedByLayers("bench", "cli")
                .whereLayer("serve")
                .mayOnlyBeAccessedByLayers("server", "bench", "cli")
                .whereLayer("server")
                .mayOnlyBeAccessedByLayers("bench", "cli")
                .whereLayer("adapter")
                .mayOnlyBeAccessedByLayers("serve", "server", "train", "bench", "cli")
                .whereLayer("model")
                .mayOnlyBeAccessedByLayers("adapter", "serve", "server", "train", "bench", "cli")
                .withOptionalLayers(true)
                .check(CLASSES);
    }

    @Test
    void methods_packages_doNotImportOneAnother() {
        slices().matching("io.lorica.adapter.(*)..")
                .should()
                .notDependOnEachOther()
                // No methods, but what those that learn a product B A, and those that route, have in common.
                .ignoreDependency(alwaysTrue(), resideInAPackage("io.lorica.adapter.lowrank"))
                .ignoreDependency(alwaysTrue(), resideInAPackage("io.lorica.adapter.moe"))
                .allowEmptyShould(true)
                .check(CLASSES);
    }

    @Test
    void modelFamilies_packages_doNotImportOneAnother() {
        slices().matching("io.lorica.model.(*)..")
                .should()
                .notDependOnEachOther()
                .check(CLASSES);
    }

    /** Methods and families are found by ServiceLoader, so that adding one changes nothing else. */
    @Test
    void methodsAndFamilies_areKnownToNobody() {
        noClasses()
                .that()
                .resideOutsideOfPackages("io.lorica.adapter.*..", "io.lorica.model.*..")
                .should()
                .dependOnClassesThat(resideInAnyPackage("io.lorica.adapter.*..", "io.lorica.model.*..")
                        // No families, but pictures and sounds and what is done to them before any model sees them.
                        .and(not(resideInAnyPackage("io.lorica.model.image", "io.lorica.model.audio"))))
                .check(CLASSES);
    }

    @Test
    void packages_haveNoCycles() {
        slices().matching("io.lorica.(**)").should().beFreeOfCycles().check(CLASSES);
    }

    /** Benchmarks and the ranks of tensor parallelism run as processes of their own, whose result is what they print. */
    @Test
    void standardStreams_areTouchedByMainOnly() {
        noClasses()
                .that()
                .doNotBelongToAnyOf(Main.class)
                .and()
                .resideOutsideOfPackage("io.lorica.bench..")
                .and()
                .doNotHaveFullyQualifiedName("io.lorica.serve.parallel.Follower")
                .should(GeneralCodingRules.ACCESS_STANDARD_STREAMS)
                .check(CLASSES);
    }

    @Test
    void thrownExceptions_areNeverGeneric() {
        noClasses().should(GeneralCodingRules.THROW_GENERIC_EXCEPTIONS).check(CLASSES);
    }
}
