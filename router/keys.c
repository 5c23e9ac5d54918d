/*
 * A file counts as unchanged while inode, size and both times of its pem and json are the same; that
 * costs two stat calls per announcement.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "router/keys.h"
#include "router/subscription.h"
#include "router/target.h"

enum { PEM_SIZE_MAX = 65536, NETWORKS_MAX = 64, UIDS_MAX = 256 };

/* What tells a file from its former content. */
struct identity {
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
};

struct key_file {
	struct map_link link;
	struct identity pem, json;
	size_t n_keys;
	EVP_PKEY *keys[KEYS_PER_FILE_MAX]; /* owned */
	bool has_owner;			   /* a json is there */
	size_t n_uids, n_networks;
	uint32_t uids[UIDS_MAX];
	struct addr_net networks[NETWORKS_MAX];
	char name[]; /* NUL-terminated */
};

static struct key_file *file_free(struct key_file *f)
{
	if (f) {
		for (size_t i = 0; i < f->n_keys; i++) {
			EVP_PKEY_free(f->keys[i]);
		}
		free(f);
	}
	return NULL;
}

static void file_cleanup(struct key_file **f)
{
	*f = file_free(*f);
}

static struct key_file *file_of(struct map_link *link)
{
	return (struct key_file *)(void *)((char *)link - offsetof(struct key_file, link));
}

int keys_open(struct keys *keys, const char *dir, struct err *e)
{
	*keys = (struct keys){.dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	return keys->dirfd < 0 ? err_errno(e, "open '%s'", dir) : 0;
}

void keys_done(struct keys *keys)
{
	for (size_t i = 0; i < keys->files.n_buckets; i++) {
		while (keys->files.buckets[i]) {
			struct key_file *f = file_of(keys->files.buckets[i]);

			map_remove(&keys->files, &f->link);
			(void)file_free(f);
		}
	}
	map_done(&keys->files);
	close_fd(&keys->dirfd);
}

void keys_file_name(const char *key, const char *extension, char *name)
{
	size_t n = 0;

	for (; key[n] && n < SUBSCRIPTION_KEY_MAX; n++) {
		char c = key[n];
		bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			     (c >= 'A' && c <= 'Z') || strchr(".-_", c);

		name[n] = plain ? c : '_';
	}
	(void)snprintf(name + n, 6, "%s", extension);
}

static int identify(const struct keys *keys, const char *name, struct identity *ret)
{
	struct stat st;

	*ret = (struct identity){};
	if (fstatat(keys->dirfd, name, &st, 0) < 0) {
		return -errno;
	}
	if (!S_ISREG(st.st_mode)) {
		return -EINVAL; /* a FIFO would hold the router up */
	}
	ret->ino = st.st_ino;
	ret->size = st.st_size;
	ret->mtime = st.st_mtim;
	ret->ctime = st.st_ctim;
	return 0;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_identity(const struct identity *a, const struct identity *b)
{
	return a->ino == b->ino && a->size == b->size && same_time(a->mtime, b->mtime) &&
	       same_time(a->ctime, b->ctime);
}

/* The owner of a site chooses its key: what is slow to verify or unusual is no key. */
static bool is_usable(const EVP_PKEY *key)
{
	int bits = EVP_PKEY_get_bits(key);

	return EVP_PKEY_is_a(key, "ED25519") || (EVP_PKEY_is_a(key, "EC") && bits <= 521) ||
	       (EVP_PKEY_is_a(key, "RSA") && bits >= 1024 && bits <= 8192);
}

static int load_pem(struct keys *keys, const char *name, struct key_file *f, struct err *e)
{
	_cleanup_buf_ struct buf text = {};
	EVP_PKEY *key;
	BIO *bio;
	int r = files_read(keys->dirfd, name, PEM_SIZE_MAX, &text, e);

	if (r < 0) {
		return r;
	}
	bio = BIO_new_mem_buf(text.p, (int)text.n);
	if (!bio) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	while (f->n_keys < KEYS_PER_FILE_MAX &&
		(key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL))) {
		if (is_usable(key)) {
			f->keys[f->n_keys++] = key;
		} else {
			EVP_PKEY_free(key);
		}
	}
	BIO_free(bio);
	ERR_clear_error(); /* the last read fails at the end of the file */
	return f->n_keys ? 0 : err_set(e, -EINVAL, "'%s' holds no public key", name);
}

struct owner {
	const struct json *customer, *uids, *networks;
};

static const struct json_field owner_fields[] = {
	{"customer", json_read_any, offsetof(struct owner, customer), JSON_OPTIONAL},
	{"uids", json_read_array_node, offsetof(struct owner, uids), JSON_OPTIONAL},
	{"networks", json_read_array_node, offsetof(struct owner, networks), JSON_OPTIONAL},
	{},
};

static int load_owner(struct keys *keys, const char *name, struct key_file *f, struct err *e)
{
	_cleanup_json_ struct json_doc *doc = NULL;
	const struct json *v;
	struct owner owner = {};
	const char *text;
	int r = json_load(keys->dirfd, name, NULL, &doc, e);

	if (r < 0 || (r = json_read(
			      json_root(doc), owner_fields, JSON_UNKNOWN_REFUSED, &owner, e)) < 0) {
		return r;
	}
	f->has_owner = true;
	if ((owner.uids && owner.uids->count > UIDS_MAX) ||
		(owner.networks && owner.networks->count > NETWORKS_MAX)) {
		return err_set(e, -E2BIG, "'%s' has too many uids or networks", name);
	}
	if (owner.uids) {
		json_each(v, owner.uids)
		{
			if ((r = json_read_u32(v, &f->uids[f->n_uids], e)) < 0) {
				return r;
			}
			f->n_uids++;
		}
	}
	if (owner.networks) {
		json_each(v, owner.networks)
		{
			if ((r = json_read_str(v, &text, e)) < 0 ||
				(r = addr_parse_net(text, &f->networks[f->n_networks], e)) < 0) {
				return r;
			}
			f->n_networks++;
		}
	}
	return 0;
}

static int load(struct keys *keys, const char *key, struct key_file **ret, struct err *e)
{
	__attribute__((cleanup(file_cleanup))) struct key_file *f =
		calloc(1, sizeof(*f) + strlen(key) + 1);
	char name[KEYS_FILE_NAME_MAX];
	int r;

	if (!f) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	(void)strcpy(f->name, key); /* it fits */
	keys_file_name(key, ".pem", name);
	if ((r = identify(keys, name, &f->pem)) < 0) {
		return err_code(e, r, "key file '%s'", name);
	}
	if ((r = load_pem(keys, name, f, e)) < 0) {
		return r;
	}
	keys_file_name(key, ".json", name);
	r = identify(keys, name, &f->json);
	if (r < 0 && r != -ENOENT) {
		return err_code(e, r, "owner file '%s'", name);
	}
	if (r == 0 && (r = load_owner(keys, name, f, e)) < 0) {
		return r == -ENOENT ? -EAGAIN : r; /* it went in between: not "no key" */
	}
	*ret = take_ptr(&f);
	return 0;
}

int keys_get(struct keys *keys, const char *key, struct key_file **ret, struct err *e)
{
	struct map_link *link = map_find(&keys->files, slice_of(key));
	char pem_name[KEYS_FILE_NAME_MAX], json_name[KEYS_FILE_NAME_MAX];
	struct identity pem, json;
	struct key_file *f = NULL;
	int r, owner;

	keys_file_name(key, ".pem", pem_name);
	keys_file_name(key, ".json", json_name);
	r = identify(keys, pem_name, &pem);
	owner = identify(keys, json_name, &json); /* missing: all zero */
	if (r == 0 && (owner == 0 || owner == -ENOENT) && link &&
		same_identity(&file_of(link)->pem, &pem) &&
		same_identity(&file_of(link)->json, &json)) {
		*ret = file_of(link);
		return 0;
	}
	if (link) {
		f = file_of(link);
		map_remove(&keys->files, link);
		(void)file_free(f);
	}
	if (r < 0) {
		return err_code(e, r, "key file '%s'", pem_name);
	}
	r = load(keys, key, &f, e);
	if (r < 0) {
		return r;
	}
	if (map_add(&keys->files, &f->link, slice_of(f->name)) < 0) {
		(void)file_free(f);
		return err_set(e, -ENOMEM, "out of memory");
	}
	*ret = f;
	return 0;
}

int keys_allow(const struct key_file *f, const struct sender *sender, struct err *e)
{
	if (!f->has_owner || (sender->local && sender->uid == 0)) {
		return 0;
	}
	if (sender->local) {
		for (size_t i = 0; i < f->n_uids; i++) {
			if (f->uids[i] == sender->uid) {
				return 0;
			}
		}
		return err_set(e, -EPERM, "the key belongs to others than uid %u", sender->uid);
	}
	for (size_t i = 0; i < f->n_networks; i++) {
		if (addr_in_net(&sender->addr, &f->networks[i])) {
			return 0;
		}
	}
	return err_set(e, -EPERM, "the key is not for the sender's network");
}

static bool verify_one(
	EVP_PKEY *key, const EVP_MD *md, struct slice content, struct slice signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool one_shot = EVP_PKEY_is_a(key, "ED25519");
	bool ok;

	if (!ctx) {
		return false;
	}
	ok = EVP_DigestVerifyInit(ctx, NULL, one_shot ? NULL : md, NULL, key) == 1 &&
	     EVP_DigestVerify(ctx, (const unsigned char *)signature.p, signature.n,
		     (const unsigned char *)content.p, content.n) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error(); /* else the queue of a forger's failures grows */
	return ok;
}

int keys_verify(
	const struct key_file *f, struct slice content, struct slice signature, uint8_t *digest)
{
	const EVP_MD *const mds[KEYS_DIGEST_MAX] = {EVP_sha256(), EVP_sha1(), EVP_sha512()};

	for (uint8_t i = 0; i <= KEYS_DIGEST_MAX; i++) {
		/* the remembered one first, then all others */
		uint8_t at = i == 0 ? *digest : (uint8_t)(i - 1);

		if (at >= KEYS_DIGEST_MAX || (i > 0 && at == *digest)) {
			continue;
		}
		for (size_t k = 0; k < f->n_keys; k++) {
			if (verify_one(f->keys[k], mds[at], content, signature)) {
				*digest = at;
				return 0;
			}
		}
	}
	return -EBADMSG;
}
