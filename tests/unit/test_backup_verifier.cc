#include "domain/backup_verifier.hh"

#include "check.hh"
#include "support.hh"

#include "base/error.hh"
#include "sys/path.hh"
#include "wrap/archive.hh"

#include <fcntl.h>
#include <unistd.h>

using namespace ap;

namespace {

constexpr uint64_t head_size = 1000;

BackupEntry entry_of(const std::string &path, const std::string &text)
{
    BackupEntry entry;
    entry.path = path;
    entry.size = static_cast<int64_t>(text.size());
    entry.length = entry.size;
    return entry;
}

const std::string documents[] = {"docs/a", "docs/b"};

// Writes two files as a body, is told by `disturb` what was written before the verifier
// is, and verifies it.
void verify(const std::optional<std::string> &passphrase, BackupManifest &manifest,
            const std::function<void(int fd, int64_t begin)> &disturb = {})
{
    const check::TemporaryDirectory directory;
    const Fd file = open_file(directory.file("a"), O_RDWR | O_CREAT, 0600);
    BackupOutput output(file.get(), head_size, passphrase, {"1", "", 5});
    BackupVerifier verifier(file.get(), output, "a");
    ArchiveWriter archive([&](std::string_view data) { output.write(data); },
                          Compression::Zstd, 1);
    for (const std::string &path : documents) {
        ArchiveEntry entry;
        entry.path = path;
        entry.size = 70'000;
        archive.begin(entry);
        archive.write(std::string(70'000, path.back()));
    }
    archive.finish();
    output.finish_body();
    if (disturb) {
        disturb(file.get(), output.body_begin());
    }
    verifier.written(output.body_end());
    verifier.finish(manifest);
}

BackupManifest right_manifest()
{
    BackupManifest manifest;
    for (const std::string &path : documents) {
        manifest.entries.push_back(entry_of(path, std::string(70'000, path.back())));
    }
    return manifest;
}

void expect_refused(BackupManifest manifest, std::string_view what,
                    const std::function<void(int fd, int64_t begin)> &disturb = {})
{
    CHECK_THROWS(
        (verify(std::nullopt, manifest, disturb), 0), Error, [&](const Error &error) {
            CHECK_EQUAL(error.status(), ExitStatus::BadData);
            CHECK(std::string_view(error.what()).find(what) != std::string_view::npos);
        });
}

void expect_found(const std::optional<std::string> &passphrase)
{
    BackupManifest manifest = right_manifest();
    verify(passphrase, manifest);
    for (const BackupEntry &entry : manifest.entries) {
        CHECK(entry.hash == sha256(std::string(70'000, entry.path.back())));
    }
}

void finds_the_hashes_of_what_was_written()
{
    expect_found(std::nullopt);
}

void finds_the_hashes_of_what_was_encrypted()
{
    expect_found("correct horse");
}

void notices_another_name_and_size()
{
    BackupManifest manifest = right_manifest();
    manifest.entries[1].size--;
    expect_refused(manifest, "'docs/b' is not what was written");
    manifest = right_manifest();
    manifest.entries[0].path = "docs/x";
    expect_refused(manifest, "'docs/x' is not what was written");
}

void notices_an_entry_too_few_or_too_many()
{
    BackupManifest fewer = right_manifest();
    fewer.entries.pop_back();
    expect_refused(fewer, "holds more");
    BackupManifest more = right_manifest();
    more.entries.push_back(entry_of("docs/c", "c"));
    expect_refused(more, "'docs/c' is not what was written");
}

void notices_a_byte_that_the_disk_changed()
{
    expect_refused(right_manifest(), "", [](int fd, int64_t begin) {
        char byte = 0;
        CHECK_EQUAL(pread(fd, &byte, 1, begin + 30), 1);
        byte = static_cast<char>(byte ^ 4);
        CHECK_EQUAL(pwrite(fd, &byte, 1, begin + 30), 1);
    });
}

void gives_up_when_it_is_not_finished()
{
    const check::TemporaryDirectory directory;
    const Fd file = open_file(directory.file("a"), O_RDWR | O_CREAT, 0600);
    const BackupOutput output(file.get(), head_size, std::nullopt, {"1", "", 5});
    const BackupVerifier verifier(file.get(), output, "a");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(finds_the_hashes_of_what_was_written),
        TEST(finds_the_hashes_of_what_was_encrypted),
        TEST(notices_another_name_and_size),
        TEST(notices_an_entry_too_few_or_too_many),
        TEST(notices_a_byte_that_the_disk_changed),
        TEST(gives_up_when_it_is_not_finished),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
