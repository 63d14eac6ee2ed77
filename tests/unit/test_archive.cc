#include "wrap/archive.hh"

#include "check.hh"

#include "base/error.hh"

using namespace ap;

namespace {

ByteSource source_of(const std::string &bytes, size_t piece)
{
    return [&bytes, piece, at = size_t{0}]() mutable {
        const std::string_view data = std::string_view(bytes).substr(at, piece);
        at += data.size();
        return data;
    };
}

std::string small_archive(Compression compression)
{
    std::string bytes;
    ArchiveWriter writer([&](std::string_view data) { bytes.append(data); }, compression,
                         3);
    ArchiveEntry directory;
    directory.path = "docs";
    directory.kind = ArchiveEntry::Kind::Directory;
    directory.mode = 0750;
    writer.begin(directory);
    ArchiveEntry file;
    file.path = "docs/a long name" + std::string(200, 'x');
    file.size = 5;
    file.mode = 0640;
    file.mtime = 1'700'000'000;
    writer.begin(file);
    writer.write("he");
    writer.write("llo");
    writer.finish();
    return bytes;
}

std::string contents(const std::string &bytes, size_t piece = 7)
{
    std::string text;
    ArchiveReader reader(source_of(bytes, piece), "x");
    while (const auto entry = reader.next()) {
        text += entry->path + "=";
        for (std::string_view data = reader.read(); !data.empty(); data = reader.read()) {
            text.append(data);
        }
        text += ";";
    }
    return text;
}

void gives_back_what_was_written()
{
    for (const Compression compression :
         {Compression::None, Compression::Gzip, Compression::Zstd}) {
        const std::string bytes = small_archive(compression);
        ArchiveReader reader(source_of(bytes, 7), "x");
        const auto directory = reader.next();
        CHECK(directory && directory->kind == ArchiveEntry::Kind::Directory);
        CHECK_EQUAL(directory->mode, 0750U);
        const auto file = reader.next();
        CHECK(file && file->kind == ArchiveEntry::Kind::File);
        CHECK_EQUAL(file->path, "docs/a long name" + std::string(200, 'x'));
        CHECK_EQUAL(file->size, 5);
        CHECK_EQUAL(file->mode, 0640U);
        CHECK_EQUAL(file->mtime, 1'700'000'000);
        std::string data;
        for (std::string_view piece = reader.read(); !piece.empty();
             piece = reader.read()) {
            data.append(piece);
        }
        CHECK_EQUAL(data, "hello");
        CHECK(!reader.next());
    }
}

void writes_the_same_bytes_for_the_same_content()
{
    CHECK(small_archive(Compression::Gzip) == small_archive(Compression::Gzip));
    CHECK(small_archive(Compression::Zstd) == small_archive(Compression::Zstd));
}

void reads_across_filler_between_compressed_pieces()
{
    for (const Compression compression : {Compression::Gzip, Compression::Zstd}) {
        ArchiveEntry entry;
        entry.path = "first";
        entry.size = 3;
        const std::string head = compress(tar_bytes(entry, "one"), compression, 3);
        for (const size_t size : {filler_least(compression), size_t{100}, size_t{65001},
                                  size_t{65020}, size_t{200'000}}) {
            const std::string gap = filler(size, compression);
            CHECK_EQUAL(gap.size(), size);
            CHECK_EQUAL(contents(head + gap + small_archive(compression), 4096),
                        "first=one;docs/=;docs/a long name" + std::string(200, 'x') +
                            "=hello;");
        }
    }
}

void says_which_archive_is_damaged()
{
    std::string bytes = small_archive(Compression::Zstd);
    bytes.resize(bytes.size() / 2);
    CHECK_THROWS(contents(bytes), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::BadData);
        CHECK(std::string_view(error.what()).starts_with("x: "));
    });
}

void reads_no_other_formats()
{
    CHECK_THROWS(
        contents("PK\x03\x04 not a tar archive at all"), Error,
        [](const Error &error) { CHECK_EQUAL(error.status(), ExitStatus::BadData); });
}

void hands_on_what_the_sink_throws()
{
    const auto write = [] {
        ArchiveWriter writer(
            [](std::string_view) { throw Error(ExitStatus::InputOutput, "disk full"); },
            Compression::None, 0);
        ArchiveEntry entry;
        entry.path = "a";
        entry.size = 1;
        writer.begin(entry);
        writer.write("x");
        writer.finish();
    };
    CHECK_THROWS((write(), 0), Error, [](const Error &error) {
        CHECK_EQUAL(std::string(error.what()), "disk full");
    });
}

void hands_on_what_the_source_throws()
{
    CHECK_THROWS(ArchiveReader(
                     []() -> std::string_view {
                         throw Error(ExitStatus::InputOutput, "bad disk");
                     },
                     "x"),
                 Error, [](const Error &error) {
                     CHECK_EQUAL(std::string(error.what()), "bad disk");
                 });
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(gives_back_what_was_written),
        TEST(writes_the_same_bytes_for_the_same_content),
        TEST(reads_across_filler_between_compressed_pieces),
        TEST(says_which_archive_is_damaged),
        TEST(reads_no_other_formats),
        TEST(hands_on_what_the_sink_throws),
        TEST(hands_on_what_the_source_throws),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
