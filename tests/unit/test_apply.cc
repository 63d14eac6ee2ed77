#include "domain/apply.hh"

#include "check.hh"
#include "support.hh"

#include <sys/stat.h>
#include <unistd.h>

using namespace ap;

namespace {

struct Fixture
{
    check::TemporaryDirectory directory;
    ApplyOptions options;
    Fixture()
    {
        options.directory = directory.path();
        write("a", "one\n");
        write("b", "two\n");
    }
    void write(const std::string &name, const std::string &text) const
    {
        write_file_atomically(directory.file(name), text, 0644);
    }
    std::string read(const std::string &name) const
    {
        return read_file(directory.file(name), 10'000);
    }
    ApplyReport apply(const std::string &files) const
    {
        return apply_change("{\"files\": [" + files + "]}", options);
    }
    // The one refusal or rejection of a change.
    std::string fault(const std::string &change) const
    {
        const ApplyReport report = apply_change(change, options);
        CHECK(!report.applied);
        CHECK_EQUAL(report.refused.size() + report.rejected.size(), 1U);
        return report.refused.empty() ? report.rejected[0].hunk.why
                                      : report.refused[0].why;
    }
};

std::string git_file(const std::string &extended, const std::string &name = "n")
{
    return "diff --git a/" + name + " b/" + name + "\n" + extended;
}

void files_of_one_change_find_what_others_made()
{
    const Fixture fixture;
    const ApplyReport report = fixture.apply(R"({"path": "a", "content": "1\n2\n"},
                         {"path": "a", "edits": [{"search": "2", "replace": "3"}]})");
    CHECK(report.applied);
    CHECK_EQUAL(report.status(), ExitStatus::Done);
    CHECK_EQUAL(fixture.read("a"), "1\n3\n");
}

void refuses_links_modes_and_binaries()
{
    const Fixture fixture;
    CHECK(symlink("a", fixture.directory.file("link").c_str()) == 0);
    CHECK_EQUAL(fixture.fault("FILE: link\n```\nx\n```\n"), "is a link");
    CHECK_EQUAL(fixture.fault(git_file("new file mode 120000\n--- /dev/null\n+++ b/n\n"
                                       "@@ -0,0 +1 @@\n+/etc\n")),
                "would become a link");
    CHECK_EQUAL(fixture.fault(git_file("new file mode 160000\n")),
                "would become a submodule");
    CHECK_EQUAL(fixture.fault(git_file("old mode 100644\nnew mode 104755\n", "a")),
                "would get another mode than 644 or 755");
    CHECK_EQUAL(fixture.fault(git_file("Binary files a/a and b/a differ\n", "a")),
                "is a binary diff without its bytes");
    CHECK_EQUAL(fixture.fault(R"({"files": [{"path": "n", "content_base64": "AAE="}]})"),
                "is binary");
    CHECK_EQUAL(fixture.fault("FILE: n\n```\nkey = ghp_0123456789abcdef0123\n```\n"),
                "would hold what looks like a key");
}

void binaries_may_be_allowed()
{
    Fixture fixture;
    fixture.options.rules.allow_binary = true;
    CHECK(fixture.apply(R"({"path": "n", "content_base64": "AAE="})").applied);
    CHECK_EQUAL(fixture.read("n").size(), 2U);
}

void holds_the_limits()
{
    Fixture fixture;
    fixture.options.rules.most_lines = 2;
    fixture.options.rules.most_files = 1;
    fixture.options.rules.most_deletions = 0;
    fixture.options.rules.largest_file = 20;
    CHECK_EQUAL(fixture.fault("FILE: n\n```\n1\n2\n3\n```\n"),
                "changes 3 lines, at most 2 are allowed");
    CHECK_EQUAL(fixture.fault("FILE: n\n```\n1\n```\nFILE: m\n```\n1\n```\n"),
                "changes 2 files, at most 1 are allowed");
    CHECK_EQUAL(fixture.fault("DELETE: a\n"), "removes 1 files, at most 0 are allowed");
    CHECK_EQUAL(fixture.fault("FILE: n\n```\n123456789012345678901\n```\n"),
                "is larger than 20 bytes");
}

void tells_names_apart_as_other_systems_do()
{
    const Fixture fixture;
    CHECK_EQUAL(fixture.fault("FILE: n\n```\nx\n```\nFILE: N\n```\ny\n```\n"),
                "differs from 'N' in case only");
    CHECK_EQUAL(fixture.fault("FILE: n\n```\nx\n```\nFILE: n/m\n```\ny\n```\n"),
                "leads through a file");
}

void rejects_what_the_tree_is_not()
{
    const Fixture fixture;
    CHECK_EQUAL(fixture.fault("DELETE: none\n"), "is not there");
    CHECK_EQUAL(fixture.fault(git_file("new file mode 100644\n", "a")),
                "is there already");
    CHECK_EQUAL(fixture.fault("--- a/a\n+++ /dev/null\n@@ -1 +0,0 @@\n-one\n"
                              "--- a/none\n+++ b/none\n@@ -1 +1 @@\n-a\n+b\n"),
                "is not there");
    CHECK_EQUAL(fixture.fault("FILE: a/x\n```\nx\n```\n"), "'a/x' leads through a file");
    CHECK_EQUAL(fixture.fault(R"({"files": [{"path": "a", "rename_from": "b"}]})"),
                "is there already");
    fixture.write("b", "two\nmore\n");
    const ApplyReport report =
        apply_change("--- a/b\n+++ /dev/null\n@@ -1 +0,0 @@\n-two\n", fixture.options);
    CHECK_EQUAL(report.rejected[0].hunk.why, "holds more than the change removes");
}

void renames_with_edits_and_keeps_the_mode()
{
    const Fixture fixture;
    CHECK(chmod(fixture.directory.file("a").c_str(), 0755) == 0);
    const ApplyReport report = fixture.apply(
        R"({"path": "d/c", "rename_from": "a", "edits": [{"search": "one", "replace": "1"}]})");
    CHECK(report.applied);
    CHECK_EQUAL(fixture.read("d/c"), "1\n");
    CHECK(!path_exists(fixture.directory.file("a")));
    struct stat status = {};
    CHECK(stat(fixture.directory.file("d/c").c_str(), &status) == 0);
    CHECK_EQUAL(status.st_mode & 0777, 0755U);
}

void the_report_is_json()
{
    const Fixture fixture;
    const ApplyReport report = fixture.apply(
        R"({"path": "a", "edits": [{"search": "1", "replace": "2"}]},
           {"path": ".git/x", "content": ""})");
    CHECK_EQUAL(report.status(), ExitStatus::NoPermission);
    CHECK_EQUAL(apply_report_to_json(report).dump(),
                R"({"applied":false,"checked":false,"recovered":false,"format":"json",)"
                R"("risk":"none","risk_reasons":[],"approval_needed":false,"files":[],)"
                R"("rejected":[{"path":"a","input_line":0,"hunk":"edit 1",)"
                R"("why":"its lines are nowhere in the file","nearest_line":null}],)"
                R"("refused":[{"path":".git/x","why":"is protected"}]})");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(files_of_one_change_find_what_others_made),
        TEST(refuses_links_modes_and_binaries),
        TEST(binaries_may_be_allowed),
        TEST(holds_the_limits),
        TEST(tells_names_apart_as_other_systems_do),
        TEST(rejects_what_the_tree_is_not),
        TEST(renames_with_edits_and_keeps_the_mode),
        TEST(the_report_is_json),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
