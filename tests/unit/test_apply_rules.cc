#include "domain/apply_rules.hh"

#include "check.hh"

using namespace ap;

namespace {

std::string refusal(std::string_view path, const ApplyRules &rules = {})
{
    return path_refusal(path, rules).value_or("");
}

void refuses_what_leads_elsewhere()
{
    CHECK_EQUAL(refusal("/etc/passwd"), "is an absolute path");
    CHECK_EQUAL(refusal("../x"), "leads out of the tree");
    CHECK_EQUAL(refusal("a/../../x"), "leads out of the tree");
    CHECK_EQUAL(refusal(""), "is empty");
    CHECK_EQUAL(refusal("a//b"), "has an empty piece or '.' in it");
    CHECK_EQUAL(refusal("./a"), "has an empty piece or '.' in it");
    CHECK_EQUAL(refusal("a\\b"), "has control characters or backslashes in it");
    CHECK_EQUAL(refusal("a\nb"), "has control characters or backslashes in it");
    CHECK_EQUAL(refusal("a\xff"), "is not UTF-8");
    CHECK_EQUAL(refusal(std::string(300, 'a')), "is too long");
    CHECK_EQUAL(refusal("src/\xc3\xa4.c"), "");
}

void protects_what_is_not_the_models()
{
    for (const char *path : {".git/config",
                             "sub/.git/hooks/x",
                             ".GIT/config",
                             ".git./x",
                             ".git /x",
                             "git~1/x",
                             ".git::$INDEX_ALLOCATION/x",
                             ".g\xe2\x80\x8cit/x",
                             ".gitmodules",
                             ".autonomous_runs/x",
                             "autopack.db",
                             "autopack.db-wal",
                             "AUTOPACK.DB",
                             "autopack.conf",
                             ".github/workflows/a.yml",
                             ".gitlab-ci.yml",
                             ".ci/x",
                             "Jenkinsfile",
                             ".env",
                             "deep/server.key",
                             "credentials.json",
                             ".autopack-apply/journal.json"}) {
        CHECK_EQUAL(refusal(path), "is protected");
    }
    for (const char *path :
         {"github/x", "git/x", ".gitignore", "src/keys.c", "docs/ci.md"}) {
        CHECK_EQUAL(refusal(path), "");
    }
}

void keeps_to_the_scope()
{
    ApplyRules rules;
    rules.scope = {"src/**", "docs"};
    rules.protect = {"src/generated"};
    CHECK_EQUAL(refusal("src/a.c", rules), "");
    CHECK_EQUAL(refusal("docs/a/b.md", rules), "");
    CHECK_EQUAL(refusal("README", rules), "is outside the scope");
    CHECK_EQUAL(refusal("src/generated/x", rules), "is protected");
    CHECK_EQUAL(refusal("src/.git/x", rules), "is protected");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(refuses_what_leads_elsewhere),
        TEST(protects_what_is_not_the_models),
        TEST(keeps_to_the_scope),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
