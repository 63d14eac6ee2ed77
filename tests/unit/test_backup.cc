#include "domain/backup.hh"

#include "check.hh"
#include "installation.hh"

#include "base/error.hh"
#include "domain/backup_name.hh"
#include "domain/restore.hh"
#include "sys/file_lock.hh"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace ap;

namespace {

BackupOptions to(const std::string &path)
{
    BackupOptions options;
    options.output = path;
    options.compression = *compression_of_name(path);
    return options;
}

BackupReader open_backup(const std::string &path)
{
    return BackupReader(open_file(path, O_RDONLY), path, std::nullopt);
}

void make_old(const check::Installation &state, std::string_view path)
{
    const timespec times[2] = {{1'700'000'000, 5}, {1'700'000'000, 5}};
    CHECK(utimensat(AT_FDCWD, join_path(state.paths().directory, path).c_str(), times,
                    0) == 0);
}

void holds_database_documents_configuration_and_runs()
{
    const check::Installation state("a");
    state.add_run("demo");
    const BackupResult result =
        create_backup(state.paths(), to(state.beside("b.tar.zst")));
    CHECK_EQUAL(result.manifest.runs, 1);
    const BackupReader reader = open_backup(state.beside("b.tar.zst"));
    for (const char *path : {"autopack.db", "autopack.db.pieces", "docs/BUILD_HISTORY.md",
                             "config/app.json", ".autonomous_runs/demo/executor.log"}) {
        CHECK(reader.manifest().find(path) != nullptr);
    }
    CHECK_EQUAL(reader.read_entry(".autonomous_runs/demo/executor.log"), "log of demo\n");
    reader.read({});
}

void leaves_secrets_and_links_out_and_says_so()
{
    const check::Installation state("a");
    state.write("config/.env", "X=1\n");
    state.write("config/b.json", "{\"k\": \"sk-ant-0123456789abcdef\"}");
    state.write(".autonomous_runs/r/server.key", "x");
    CHECK(symlink("/etc/passwd", (state.paths().runs + "/link").c_str()) == 0);
    CHECK(mkfifo((state.paths().runs + "/fifo").c_str(), 0600) == 0);
    const BackupResult result =
        create_backup(state.paths(), to(state.beside("b.tar.gz")));
    std::string left;
    for (const LeftOut &item : result.manifest.left_out) {
        left += item.path + " ";
        CHECK(result.manifest.find(item.path) == nullptr);
    }
    CHECK_EQUAL(left, ".autonomous_runs/link .autonomous_runs/r/server.key config/.env "
                      "config/b.json ");
}

// A full backup that was made long enough after all files had changed to be sure.
void make_base(const check::Installation &state)
{
    BackupOptions options = to(state.beside("full.tar.zst"));
    options.now = SystemClock().now() + 10'000;
    create_backup(state.paths(), options);
}

BackupOptions on_base(const check::Installation &state)
{
    BackupOptions options = to(state.beside("next.tar.zst"));
    options.base = state.beside("full.tar.zst");
    return options;
}

int archive_of(const check::Installation &state, std::string_view path)
{
    return open_backup(state.beside("next.tar.zst")).manifest().find(path)->from;
}

void stores_only_what_changed_since_the_base()
{
    const check::Installation state("a");
    state.write(".autonomous_runs/old", std::string(50'000, 'x'));
    make_base(state);
    state.write(".autonomous_runs/new", "new");
    create_backup(state.paths(), on_base(state));
    CHECK_EQUAL(archive_of(state, ".autonomous_runs/old"), 1);
    CHECK_EQUAL(archive_of(state, ".autonomous_runs/new"), 0);
    CHECK_EQUAL(archive_of(state, "autopack.db"), 1);
    const BackupReader reader = open_backup(state.beside("next.tar.zst"));
    CHECK_EQUAL(reader.manifest().chain.size(), 1U);
    CHECK_EQUAL(reader.manifest().chain[0].file, "full.tar.zst");
}

void stores_a_changed_file_whose_size_and_time_were_kept()
{
    const check::Installation state("a");
    state.write(".autonomous_runs/a", "one");
    make_old(state, ".autonomous_runs/a");
    make_base(state);
    state.write(".autonomous_runs/a", "two");
    make_old(state, ".autonomous_runs/a");
    create_backup(state.paths(), on_base(state));
    CHECK_EQUAL(archive_of(state, ".autonomous_runs/a"), 0);
}

void reads_all_files_again_when_told_to()
{
    const check::Installation state("a");
    make_base(state);
    BackupOptions options = on_base(state);
    options.read_all = true;
    create_backup(state.paths(), options);
    CHECK_EQUAL(archive_of(state, "config/app.json"), 0);
}

void takes_no_recent_file_for_unchanged()
{
    const check::Installation state("a");
    state.write(".autonomous_runs/fresh", "one");
    create_backup(state.paths(), to(state.beside("full.tar.zst")));
    BackupOptions options = to(state.beside("next.tar.zst"));
    options.base = state.beside("full.tar.zst");
    create_backup(state.paths(), options);
    const BackupReader reader = open_backup(state.beside("next.tar.zst"));
    CHECK_EQUAL(reader.manifest().find(".autonomous_runs/fresh")->from, 0);
}

void is_signed_on_request()
{
    const check::Installation state("a");
    const SigningKeys keys = SigningKeys::make();
    BackupOptions options = to(state.beside("b.tar.zst"));
    options.signing_key = keys.secret;
    create_backup(state.paths(), options);
    open_backup(options.output).require_signature(keys.open);
    CHECK_THROWS(
        (open_backup(options.output).require_signature(SigningKeys::make().open), 0),
        Error,
        [](const Error &error) { CHECK_EQUAL(error.status(), ExitStatus::BadData); });
}

void needs_the_passphrase_it_was_given()
{
    const check::Installation state("a");
    BackupOptions options = to(state.beside("b.tar.zst.enc"));
    options.passphrase = "right";
    create_backup(state.paths(), options);
    const auto open = [&](const std::optional<std::string> &passphrase) {
        return BackupReader(open_file(options.output, O_RDONLY), "b", passphrase);
    };
    open("right").read({});
    CHECK_EQUAL(read_file(options.output, 1 << 20).find("BUILD_HISTORY"),
                std::string::npos);
    CHECK_THROWS(open("wrong"), Error, [](const Error &error) {
        CHECK(std::string_view(error.what()).find("wrong passphrase") !=
              std::string_view::npos);
    });
    CHECK_THROWS(open(std::nullopt), Error, [](const Error &error) {
        CHECK(std::string_view(error.what()).find("--passphrase-file") !=
              std::string_view::npos);
    });
    const Fd file = open_file(options.output, O_RDONLY);
    const std::string id = open("right").manifest().id;
    CHECK(read_label(file.get(), "b").value().id == id);
}

void refuses_while_the_state_is_locked()
{
    const check::Installation state("a");
    const FileLock lock(state.paths().directory, "it");
    CHECK_THROWS(
        create_backup(state.paths(), to(state.beside("b.tar.zst"))), Error,
        [](const Error &error) { CHECK_EQUAL(error.status(), ExitStatus::TryAgain); });
    CHECK(!path_exists(state.beside("b.tar.zst")));
}

void may_be_written_beside_the_database()
{
    const check::Installation state("a");
    create_backup(state.paths(), to(state.paths().directory + "/b.tar.zst"));
    CHECK(state.has("b.tar.zst"));
    CHECK(!state.has(".autopack-snapshot"));
}

void leaves_nothing_when_it_is_ended()
{
    const check::Installation state("a");
    const auto stop = [](int64_t, int64_t) {
        throw Error(ExitStatus::Stopped, "enough");
    };
    CHECK_THROWS(
        create_backup(state.paths(), to(state.beside("b.tar.zst")), stop), Error,
        [](const Error &error) { CHECK_EQUAL(error.status(), ExitStatus::Stopped); });
    CHECK(!path_exists(state.beside("b.tar.zst")));
    CHECK(!path_exists(state.beside(".b.tar.zst.partial")));
    CHECK(!state.has(".autopack-snapshot"));
}

void refuses_a_damaged_database()
{
    const check::Installation state("a");
    state.add_run("demo");
    state.query("PRAGMA wal_checkpoint(TRUNCATE)");
    std::string bytes = state.read("autopack.db");
    for (size_t at = 5 * 4096; at < bytes.size(); at += 4096) {
        bytes[at] = '\xff';
    }
    state.write("autopack.db", bytes);
    CHECK_THROWS(
        create_backup(state.paths(), to(state.beside("b.tar.zst"))), Error,
        [](const Error &error) { CHECK_EQUAL(error.status(), ExitStatus::BadData); });
    CHECK(!path_exists(state.beside("b.tar.zst")));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(holds_database_documents_configuration_and_runs),
        TEST(leaves_secrets_and_links_out_and_says_so),
        TEST(stores_only_what_changed_since_the_base),
        TEST(stores_a_changed_file_whose_size_and_time_were_kept),
        TEST(reads_all_files_again_when_told_to),
        TEST(takes_no_recent_file_for_unchanged),
        TEST(is_signed_on_request),
        TEST(needs_the_passphrase_it_was_given),
        TEST(refuses_while_the_state_is_locked),
        TEST(may_be_written_beside_the_database),
        TEST(leaves_nothing_when_it_is_ended),
        TEST(refuses_a_damaged_database),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
