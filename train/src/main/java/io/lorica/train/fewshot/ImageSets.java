package io.lorica.train.fewshot;

import io.lorica.model.image.Picture;
import io.lorica.tensor.LoricaException;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/**
 * Reads {@link ImageSet}s: a folder or zip file of {@code train/CLASS/picture} and {@code test/CLASS/picture}, or a folder
 * with one pair of IDX files ({@code …images…idx3-ubyte}, {@code …labels…idx1-ubyte}, gzip or not). IDX files know no
 * split, so every second picture of a class is for testing; a class is called by the folder's name and its number.
 */
public final class ImageSets {
    private static final int IDX_IMAGES = 0x00000803;
    private static final int IDX_LABELS = 0x00000801;

    private ImageSets() {}

    public static ImageSet read(Path path) {
        try {
            if (Files.isRegularFile(path) && path.toString().endsWith(".zip")) {
                return zip(path);
            }
            if (!Files.isDirectory(path)) {
                throw new LoricaException.NotFound(path + " is neither a folder nor a zip file of images");
            }
            Optional<Path> images = file(path, "images", "idx3-ubyte");
            return images.isPresent() ? idx(path, images.get()) : folder(path);
        } catch (IOException e) {
            throw new LoricaException.BadInput("cannot read the images in " + path + ": " + e, e);
        }
    }

    private static String name(Path path) {
        return path.toAbsolutePath().normalize().getFileName().toString().replaceFirst("\\.zip$", "");
    }

    private static ImageSet folder(Path path) throws IOException {
        try (Stream<Path> files = Files.walk(path)) {
            Folder folder = new Folder(path);
            for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
                try (InputStream in = Files.newInputStream(file)) {
                    folder.add(path.relativize(file).toString().replace('\\', '/'), in);
                }
            }
            return folder.set();
        }
    }

    private static ImageSet zip(Path path) throws IOException {
        try (ZipFile zip = new ZipFile(path.toFile())) {
            Folder folder = new Folder(path);
            List<String> names = zip.stream()
                    .filter(entry -> !entry.isDirectory())
                    .map(ZipEntry::getName)
                    .sorted()
                    .toList();
            for (String name : names) {
                try (InputStream in = zip.getInputStream(zip.getEntry(name))) {
                    folder.add(name, in);
                }
            }
            return folder.set();
        }
    }

    /** Collects {@code …/split/class/file}. */
    private static final class Folder {
        private final Path path;
        private final SortedMap<String, List<Picture>> train = new TreeMap<>();
        private final SortedMap<String, List<Picture>> test = new TreeMap<>();

        Folder(Path path) {
            this.path = path;
        }

        void add(String name, InputStream in) throws IOException {
            String[] parts = name.split("/");
            SortedMap<String, List<Picture>> split = parts.length < 3
                    ? null
                    : switch (parts[parts.length - 3]) {
                        case "train" -> train;
                        case "test" -> test;
                        default -> null;
                    };
            if (split != null) {
                Picture picture = Picture.read(in, path + ": " + name);
                split.computeIfAbsent(parts[parts.length - 2], _ -> new ArrayList<>())
                        .add(picture);
            }
        }

        ImageSet set() {
            if (train.isEmpty() || !train.keySet().equals(test.keySet())) {
                throw new LoricaException.BadInput(path + " must hold train/CLASS/picture and test/CLASS/picture with"
                        + " the same classes; it has train " + train.keySet() + " and test " + test.keySet());
            }
            List<String> folders = List.copyOf(train.keySet());
            List<String> classes =
                    folders.stream().map(folder -> folder.replace('_', ' ')).toList();
            return new ImageSet(name(path), classes, labelled(folders, train), labelled(folders, test));
        }

        private static List<ImageSet.Labelled> labelled(List<String> folders, SortedMap<String, List<Picture>> split) {
            return IntStream.range(0, folders.size())
                    .boxed()
                    .flatMap(label -> split.getOrDefault(folders.get(label), List.of()).stream()
                            .map(picture -> new ImageSet.Labelled(picture, label)))
                    .toList();
        }
    }

    private static Optional<Path> file(Path directory, String word, String kind) throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.filter(file -> {
                        String name = file.getFileName().toString();
                        return name.contains(word) && name.matches(".*" + kind + "(\\.gz)?");
                    })
                    .sorted()
                    .findFirst();
        }
    }

    private static ImageSet idx(Path directory, Path images) throws IOException {
        Path labels = file(directory, "labels", "idx1-ubyte")
                .orElseThrow(() -> new LoricaException.NotFound(
                        directory + " holds " + images.getFileName() + ", but no …labels…idx1-ubyte file"));
        List<Picture> pictures = pictures(images);
        byte[] classes = labels(labels);
        if (classes.length != pictures.size()) {
            throw new LoricaException.BadInput(
                    directory + " holds " + pictures.size() + " pictures, but " + classes.length + " labels");
        }
        int[] seen = new int[256];
        List<ImageSet.Labelled> train = new ArrayList<>();
        List<ImageSet.Labelled> test = new ArrayList<>();
        int largest = 0;
        for (int i = 0; i < classes.length; i++) {
            int label = classes[i] & 0xff;
            largest = Math.max(largest, label);
            (seen[label]++ % 2 == 0 ? train : test).add(new ImageSet.Labelled(pictures.get(i), label));
        }
        String set = name(directory);
        List<String> names = IntStream.rangeClosed(0, largest)
                .mapToObj(label -> set + " " + label)
                .toList();
        return new ImageSet(set, names, train, test);
    }

    private static List<Picture> pictures(Path file) throws IOException {
        try (DataInputStream in = open(file)) {
            requireKind(file, in.readInt(), IDX_IMAGES);
            int count = in.readInt();
            int height = in.readInt();
            int width = in.readInt();
            if (count < 0 || height < 1 || width < 1 || (long) height * width > 1 << 24) {
                throw new LoricaException.BadInput(
                        file + ": the sizes " + count + ", " + height + ", " + width + " are no pictures");
            }
            List<Picture> pictures = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                byte[] samples = new byte[height * width];
                in.readFully(samples);
                pictures.add(new Picture(samples, width, height, 1));
            }
            return pictures;
        }
    }

    private static byte[] labels(Path file) throws IOException {
        try (DataInputStream in = open(file)) {
            requireKind(file, in.readInt(), IDX_LABELS);
            return in.readNBytes(Math.max(0, in.readInt()));
        }
    }

    private static DataInputStream open(Path file) throws IOException {
        InputStream in = new BufferedInputStream(Files.newInputStream(file));
        return new DataInputStream(file.toString().endsWith(".gz") ? new GZIPInputStream(in) : in);
    }

    private static void requireKind(Path file, int magic, int expected) {
        if (magic != expected) {
            throw new LoricaException.BadInput("%s starts with 0x%08x, but an IDX file of this kind starts with 0x%08x"
                    .formatted(file, magic, expected));
        }
    }
}
