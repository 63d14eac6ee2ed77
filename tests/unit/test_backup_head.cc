#include "domain/backup_head.hh"

#include "check.hh"

#include "base/error.hh"

using namespace ap;

namespace {

// Long, and their sum is a number, too.
constexpr int64_t largest = INT64_MAX / 1000;

BackupManifest manifest_of(int files)
{
    BackupManifest manifest;
    manifest.id = std::string(32, 'a');
    for (int i = 0; i < files; i++) {
        BackupEntry entry;
        entry.path = ".autonomous_runs/" + std::to_string(i);
        entry.size = entry.length = largest;
        entry.mtime_ns = entry.ctime_ns = largest;
        manifest.entries.push_back(entry);
    }
    return manifest;
}

// What `expected` says is required of `bytes`.
void require_of(const std::string &bytes, const BackupHead &expected)
{
    bool given = false;
    ArchiveReader archive(
        [&] {
            const bool first = !given;
            given = true;
            return first ? std::string_view(bytes) : std::string_view();
        },
        "a");
    require_head(archive, expected, "a");
}

void has_the_size_that_was_left_for_it()
{
    const Pieces pieces = start_pieces({});
    for (const Compression compression : {Compression::Zstd, Compression::Gzip}) {
        for (const int files : {0, 1, 500}) {
            const BackupManifest manifest = manifest_of(files);
            const BackupHead head = {manifest_text(manifest), "signed\n", 5, pieces};
            const size_t bound = head_bound(manifest, 0);
            const std::string bytes = head_bytes(head, bound, compression, 3);
            CHECK_EQUAL(bytes.size(), bound);
            require_of(bytes, head);
        }
    }
}

void does_not_fit_where_there_is_no_room()
{
    const Pieces pieces = start_pieces({});
    const BackupHead head = {manifest_text(manifest_of(1)), "", 5, pieces};
    CHECK_THROWS(
        head_bytes(head, 100, Compression::Zstd, 3), Error,
        [](const Error &error) { CHECK_EQUAL(error.status(), ExitStatus::Bug); });
}

void refuses_one_of_which_anything_differs()
{
    const Pieces pieces = start_pieces({});
    const Pieces others = start_pieces({});
    const std::string text = manifest_text(manifest_of(3));
    const BackupHead head = {text, "signed\n", 5, pieces};
    const std::string bytes =
        head_bytes(head, head_bound(manifest_of(3), 0), Compression::Zstd, 3);
    const std::pair<BackupHead, std::string> different[] = {
        {{text + "\n", "signed\n", 5, pieces}, "manifest.jsonl"},
        {{text.substr(1), "signed\n", 5, pieces}, "manifest.jsonl"},
        {{text, "Signed\n", 5, pieces}, "manifest.sig"},
        {{text, "", 5, pieces}, "autopack.db.pieces"},
        {{text, "signed\n", 5, others}, "autopack.db.pieces"},
    };
    for (const auto &[expected, path] : different) {
        const std::string message = "a: its '" + path + "' is not what was written";
        CHECK_THROWS((require_of(bytes, expected), 0), Error, [&](const Error &error) {
            CHECK_EQUAL(std::string(error.what()), message);
            CHECK_EQUAL(error.status(), ExitStatus::BadData);
        });
    }
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(has_the_size_that_was_left_for_it),
        TEST(does_not_fit_where_there_is_no_room),
        TEST(refuses_one_of_which_anything_differs),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
