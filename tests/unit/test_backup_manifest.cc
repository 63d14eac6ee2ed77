#include "domain/backup_manifest.hh"

#include "check.hh"

#include "base/error.hh"

using namespace ap;

namespace {

BackupManifest sample()
{
    BackupManifest manifest;
    manifest.id = std::string(32, 'a');
    manifest.created_at = 1'800'000'000'123;
    manifest.program = "0.1.0";
    manifest.schema_version = 3;
    manifest.runs = 2;
    manifest.events = 17;
    manifest.chain = {{std::string(32, 'b'), "base.tar.zst", sha256("base")}};
    BackupEntry directory;
    directory.path = ".autonomous_runs";
    directory.directory = true;
    directory.mode = 0700;
    BackupEntry file;
    file.path = ".autonomous_runs/\"odd\" n\xc3\xa4me";
    file.size = 10;
    file.length = 7;
    file.mtime_ns = -5;
    file.hash = sha256("x");
    file.from = 1;
    manifest.entries = {directory, file};
    manifest.left_out = {{"config/.env", "taken to hold a secret"}};
    return manifest;
}

void expect_refused(const std::string &text, std::string_view part,
                    ExitStatus status = ExitStatus::BadData)
{
    CHECK_THROWS(parse_manifest(text, "m"), Error, [&](const Error &error) {
        CHECK_EQUAL(error.status(), status);
        if (std::string_view(error.what()).find(part) == std::string_view::npos) {
            check::fail_at(__FILE__, __LINE__, error.what());
        }
    });
}

std::string replaced(std::string text, std::string_view from, std::string_view to)
{
    const size_t at = text.find(from);
    CHECK(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

void gives_back_what_was_written()
{
    const BackupManifest read = parse_manifest(manifest_text(sample()), "m");
    CHECK_EQUAL(manifest_text(read), manifest_text(sample()));
    CHECK_EQUAL(read.entries[1].length, 7);
    CHECK_EQUAL(read.entries[1].from, 1);
    CHECK_EQUAL(read.chain[0].file, "base.tar.zst");
    CHECK_EQUAL(read.left_out[0].path, "config/.env");
    CHECK_EQUAL(read.bytes(), 10);
}

void keeps_within_its_bounds()
{
    const BackupManifest manifest = sample();
    size_t bound = manifest_header_bound(manifest.chain);
    for (const BackupEntry &entry : manifest.entries) {
        bound += manifest_line_bound(entry.path);
    }
    bound += manifest_line_bound(manifest.left_out[0].path);
    CHECK(manifest_text(manifest).size() <= bound);
}

void names_the_line_that_is_wrong()
{
    const std::string text = manifest_text(sample());
    expect_refused(replaced(text, "\"size\":10", "\"size\":-1"), "m: line 3: ");
    expect_refused(replaced(text, "\"from\":1", "\"from\":2"), "'from' from 1 to 1");
    expect_refused(replaced(text, "\"length\":7", "\"length\":11"), "'length'");
    expect_refused(text + "{}\n", "expected the end");
    expect_refused(text.substr(0, text.size() - 1), "expected another line");
    expect_refused("{}\n", "expected the header");
    expect_refused("", "expected another line");
}

void refuses_a_newer_format()
{
    expect_refused(
        replaced(manifest_text(sample()), "\"format_version\":1", "\"format_version\":2"),
        "use a newer program", ExitStatus::Config);
}

void refuses_a_base_in_another_directory()
{
    expect_refused(replaced(manifest_text(sample()), "base.tar.zst", "../base"),
                   "without directory");
}

void refuses_a_path_that_is_there_twice()
{
    BackupManifest manifest = sample();
    manifest.entries.push_back(manifest.entries[1]);
    expect_refused(manifest_text(manifest), "is there twice");
}

void refuses_a_path_below_a_file()
{
    BackupManifest manifest = sample();
    BackupEntry below = manifest.entries[1];
    below.path += "/x/y";
    manifest.entries.push_back(below);
    expect_refused(manifest_text(manifest), "is below a file");
}

void refuses_more_bytes_than_there_can_be()
{
    BackupManifest manifest = sample();
    BackupEntry large = manifest.entries[1];
    large.size = large.length = int64_t{3} << 48;
    large.path += "-1";
    manifest.entries.push_back(large);
    CHECK_EQUAL(parse_manifest(manifest_text(manifest), "m").entries.back().size,
                large.size);
    large.path += "-2";
    manifest.entries.push_back(large);
    expect_refused(manifest_text(manifest), "size");
}

void lets_only_its_own_paths_through()
{
    for (const char *path :
         {"autopack.db", "docs/BUILD_HISTORY.md", ".autonomous_runs",
          ".autonomous_runs/demo/phases/one", "config/a.json", ".autonomous_runs/..a"}) {
        CHECK(backup_path_is_allowed(path));
    }
    for (const std::string path :
         {"", "/etc/passwd", "..", "docs/../x", ".autonomous_runs/../../x", "docs//x",
          "docs/./x", "docs", "config", "autopack.db/x", "autopack.db-wal", "etc/passwd",
          "manifest.jsonl", "docs/a\nb", ".autonomous_runs/"}) {
        std::string what;
        if (backup_path_is_allowed(path, &what) || what.empty()) {
            check::fail_at(__FILE__, __LINE__, path);
        }
    }
    CHECK(!backup_path_is_allowed("docs/" + std::string(4000, 'x')));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(gives_back_what_was_written),
        TEST(keeps_within_its_bounds),
        TEST(names_the_line_that_is_wrong),
        TEST(refuses_a_newer_format),
        TEST(refuses_a_base_in_another_directory),
        TEST(refuses_a_path_that_is_there_twice),
        TEST(refuses_a_path_below_a_file),
        TEST(refuses_more_bytes_than_there_can_be),
        TEST(lets_only_its_own_paths_through),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
