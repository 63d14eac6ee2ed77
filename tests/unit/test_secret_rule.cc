#include "domain/secret_rule.hh"

#include "check.hh"

using namespace ap;

namespace {

void knows_secrets_by_their_names()
{
    for (const char *name :
         {".env", ".ENV", ".env.local", "prod.env", "server.key", "cert.pem",
          "id_ed25519", ".netrc", "auth.json", "my-secrets.yaml", "credentials.json",
          "db_password.txt", "API_KEY", "openai-apikey"}) {
        if (!is_secret_name(name)) {
            check::fail_at(__FILE__, __LINE__, name);
        }
    }
    for (const char *name : {"stdout.log", "environment.json", "keys", "token_usage.json",
                             "result.json", "id_rsa.pub", "monkey"}) {
        if (is_secret_name(name)) {
            check::fail_at(__FILE__, __LINE__, name);
        }
    }
}

void knows_keys_by_their_form()
{
    CHECK(holds_secret("-----BEGIN OPENSSH PRIVATE KEY-----\n"));
    CHECK(holds_secret("{\"key\": \"sk-ant-api03-abcdefghijklmnop\"}"));
    CHECK(holds_secret("ghp_0123456789abcdef0123"));
    CHECK(holds_secret("x=apk-AAAAAAAAAAAAAAAAAAAAAAAA"));
    CHECK(!holds_secret(""));
    CHECK(!holds_secret("sk-short"));
    CHECK(!holds_secret("a task-list-of-many-long-words-and-more"));
    CHECK(!holds_secret("-----BEGIN PUBLIC KEY-----"));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(knows_secrets_by_their_names),
        TEST(knows_keys_by_their_form),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
