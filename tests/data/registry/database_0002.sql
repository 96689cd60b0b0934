BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0002');
CREATE TABLE aliases (
	model_id INTEGER NOT NULL, 
	alias VARCHAR(128) NOT NULL, 
	version_id INTEGER NOT NULL, 
	manifest VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_aliases PRIMARY KEY (model_id, alias), 
	CONSTRAINT fk_aliases_model_id FOREIGN KEY(model_id) REFERENCES models (id), 
	CONSTRAINT fk_aliases_manifest FOREIGN KEY(version_id, manifest) REFERENCES versions (id, manifest), 
	CONSTRAINT fk_aliases_model FOREIGN KEY(version_id, model_id) REFERENCES versions (id, model_id)
);
INSERT INTO "aliases" VALUES(1,'production',1,'c8bcd53a9a06204070860475d702fc701acb6c0cdbfff772cb9a2e92a2ef7441');
CREATE TABLE chain (
	id INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_chain PRIMARY KEY (id)
);
INSERT INTO "chain" VALUES(1,9,'5994ccb66422e569a55cd3c6e331765e8c7b950f39e7aa12dadcaa9f14b5f7c0');
CREATE TABLE events (
	seq INTEGER NOT NULL, 
	at VARCHAR(40) NOT NULL, 
	who TEXT NOT NULL, 
	why TEXT NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	model VARCHAR(128) NOT NULL, 
	subject VARCHAR(160) NOT NULL, 
	payload TEXT NOT NULL, 
	previous VARCHAR(64) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_events PRIMARY KEY (seq)
);
INSERT INTO "events" VALUES(1,'2026-11-28T07:34:11.229153+00:00','ada','start','register','support','1.0.0','{"manifest":"c8bcd53a9a06204070860475d702fc701acb6c0cdbfff772cb9a2e92a2ef7441","notes":{"description":"Größe, first","metrics":{"ndcg@10":0.42},"tags":{"team":"search"}},"parent":""}','0000000000000000000000000000000000000000000000000000000000000000','ab8036a1fa1ac4a165d92dd82d76e8e8040706d3ee39f80ead8c5389860d59ca');
INSERT INTO "events" VALUES(2,'2026-11-28T07:34:11.259254+00:00','ada','','register','support','1.1.0-rc.1','{"manifest":"9cfecab5fc034b06016b4b6bd2e6a5843a0943013f3d73c7a5233be361e7e38e","notes":{},"parent":"support@1.0.0"}','ab8036a1fa1ac4a165d92dd82d76e8e8040706d3ee39f80ead8c5389860d59ca','57762888c08572699b3a8fbf62f1953859b4142b689341799b8bbf870a7a0860');
INSERT INTO "events" VALUES(3,'2026-11-28T07:34:11.276523+00:00','ada','','register','support','1.1.0','{"manifest":"c5cceded969fa4cc92a4840b9cfafa8290e37a2bf27f0c3a7fc80ceb16aa97df","notes":{"domain":"chat","licence":"apache-2.0"},"parent":"support@1.0.0"}','57762888c08572699b3a8fbf62f1953859b4142b689341799b8bbf870a7a0860','69c11b923134b918c4459308865e63ce5acfa947d0c81ae19ac4dfcd47ad5404');
INSERT INTO "events" VALUES(4,'2026-11-28T07:34:11.290438+00:00','ada','first','promote','support','production','{"alias":"production","before":"","manifest":"c8bcd53a9a06204070860475d702fc701acb6c0cdbfff772cb9a2e92a2ef7441","version":"1.0.0"}','69c11b923134b918c4459308865e63ce5acfa947d0c81ae19ac4dfcd47ad5404','d112973ca855be25199d589979a4a8cb1cb3e23f4347209bc7dc07171247b600');
INSERT INTO "events" VALUES(5,'2026-11-28T07:34:11.303367+00:00','ada','','promote','support','production','{"alias":"production","before":"1.0.0","manifest":"c5cceded969fa4cc92a4840b9cfafa8290e37a2bf27f0c3a7fc80ceb16aa97df","version":"1.1.0"}','d112973ca855be25199d589979a4a8cb1cb3e23f4347209bc7dc07171247b600','9ee35c5acef6890acffd0972825924432e4fa6c80effc135880a098c1307b75e');
INSERT INTO "events" VALUES(6,'2026-11-28T07:34:11.311644+00:00','ada','','rollback','support','production','{"alias":"production","before":"1.1.0","manifest":"c8bcd53a9a06204070860475d702fc701acb6c0cdbfff772cb9a2e92a2ef7441","version":"1.0.0"}','9ee35c5acef6890acffd0972825924432e4fa6c80effc135880a098c1307b75e','8e246fe32f3501dce3ed48767e9da2817863738dede9dbd31f8fd55861442810');
INSERT INTO "events" VALUES(7,'2026-11-28T07:34:11.317231+00:00','ada','','annotate','support','1.1.0','{"metrics":{"ndcg@10":0.5},"tags":{"a":"b"}}','8e246fe32f3501dce3ed48767e9da2817863738dede9dbd31f8fd55861442810','9d334808340f986b2288ab4c1e6bd9cb1cf1d9f72dcc5d28900f5f4602dba0c6');
INSERT INTO "events" VALUES(8,'2026-11-28T07:34:11.325312+00:00','ada','','deprecate','support','1.1.0','{"message":"slow"}','9d334808340f986b2288ab4c1e6bd9cb1cf1d9f72dcc5d28900f5f4602dba0c6','e8c51064f44de9e3bac67591e543f6fdef4ed2b82f53d83e9547d18bc07ce2c7');
INSERT INTO "events" VALUES(9,'2026-11-28T07:34:11.339854+00:00','ada','','delete','support','1.1.0-rc.1','{"manifest":"9cfecab5fc034b06016b4b6bd2e6a5843a0943013f3d73c7a5233be361e7e38e"}','e8c51064f44de9e3bac67591e543f6fdef4ed2b82f53d83e9547d18bc07ce2c7','5994ccb66422e569a55cd3c6e331765e8c7b950f39e7aa12dadcaa9f14b5f7c0');
CREATE TABLE files (
	version_id INTEGER NOT NULL, 
	path VARCHAR(240) NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	size BIGINT NOT NULL, 
	CONSTRAINT pk_files PRIMARY KEY (version_id, path), 
	CONSTRAINT fk_files_version_id FOREIGN KEY(version_id) REFERENCES versions (id)
);
INSERT INTO "files" VALUES(1,'1_Pooling/config.json','a1ce897edc45f7c529f4dc8d5f81d032a1c3a5266b2eea314c8d00cd73e503eb',71);
INSERT INTO "files" VALUES(1,'config.json','427d65c2f1696d4797417b61e6c313e17dd625fea09eb66519056e436f11c9b6',317);
INSERT INTO "files" VALUES(1,'config_sentence_transformers.json','00e0eeb76202bb089ff76eadc87419e92de9c286b45684834097d9c0ba8623ab',84);
INSERT INTO "files" VALUES(1,'model.safetensors','f4b7ef665a460cd4d5cd4126031948c65571770660fe96fe6b7bc5cbe176bd54',6728);
INSERT INTO "files" VALUES(1,'modules.json','84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf',349);
INSERT INTO "files" VALUES(1,'reference_vectors.safetensors','6c26a4fd92f05a8bfa0cdcc4e4a8ed1fa4e6f08c54d63ed3dec145c6a332b2f8',792);
INSERT INTO "files" VALUES(1,'sentence_bert_config.json','240e64a02652b7a8c717a48cdd63afa11f807d233fb6a89b0b107090a92bc4f1',52);
INSERT INTO "files" VALUES(1,'tokenizer.json','fb1ee9307038fa7534a1d7198c8d875e8daad2290f2ce1b3f95ad9346ed56ee8',3138);
INSERT INTO "files" VALUES(1,'tokenizer_config.json','64c94fe493fda0f545dad8d15562ec0b52cdf7ebd28874666e980a69c4bc4426',199);
INSERT INTO "files" VALUES(3,'1_Pooling/config.json','a1ce897edc45f7c529f4dc8d5f81d032a1c3a5266b2eea314c8d00cd73e503eb',71);
INSERT INTO "files" VALUES(3,'config.json','427d65c2f1696d4797417b61e6c313e17dd625fea09eb66519056e436f11c9b6',317);
INSERT INTO "files" VALUES(3,'config_sentence_transformers.json','00e0eeb76202bb089ff76eadc87419e92de9c286b45684834097d9c0ba8623ab',84);
INSERT INTO "files" VALUES(3,'model.safetensors','f4b7ef665a460cd4d5cd4126031948c65571770660fe96fe6b7bc5cbe176bd54',6728);
INSERT INTO "files" VALUES(3,'modules.json','84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf',349);
INSERT INTO "files" VALUES(3,'sentence_bert_config.json','240e64a02652b7a8c717a48cdd63afa11f807d233fb6a89b0b107090a92bc4f1',52);
INSERT INTO "files" VALUES(3,'tokenizer.json','fb1ee9307038fa7534a1d7198c8d875e8daad2290f2ce1b3f95ad9346ed56ee8',3138);
INSERT INTO "files" VALUES(3,'tokenizer_config.json','64c94fe493fda0f545dad8d15562ec0b52cdf7ebd28874666e980a69c4bc4426',199);
CREATE TABLE leases (
	id VARCHAR(32) NOT NULL, 
	version_id INTEGER NOT NULL, 
	holder TEXT NOT NULL, 
	expires FLOAT NOT NULL, 
	CONSTRAINT pk_leases PRIMARY KEY (id), 
	CONSTRAINT fk_leases_version_id FOREIGN KEY(version_id) REFERENCES versions (id)
);
CREATE TABLE manifests (
	digest VARCHAR(64) NOT NULL, 
	content TEXT NOT NULL, 
	CONSTRAINT pk_manifests PRIMARY KEY (digest)
);
INSERT INTO "manifests" VALUES('c8bcd53a9a06204070860475d702fc701acb6c0cdbfff772cb9a2e92a2ef7441','{"base_model":"","created_at":"2026-11-28T07:34:11.218671+00:00","created_by":"ada","dimension":8,"family":"bert","files":[{"path":"1_Pooling/config.json","sha256":"a1ce897edc45f7c529f4dc8d5f81d032a1c3a5266b2eea314c8d00cd73e503eb","size":71},{"path":"config.json","sha256":"427d65c2f1696d4797417b61e6c313e17dd625fea09eb66519056e436f11c9b6","size":317},{"path":"config_sentence_transformers.json","sha256":"00e0eeb76202bb089ff76eadc87419e92de9c286b45684834097d9c0ba8623ab","size":84},{"path":"model.safetensors","sha256":"f4b7ef665a460cd4d5cd4126031948c65571770660fe96fe6b7bc5cbe176bd54","size":6728},{"path":"modules.json","sha256":"84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf","size":349},{"path":"reference_vectors.safetensors","sha256":"6c26a4fd92f05a8bfa0cdcc4e4a8ed1fa4e6f08c54d63ed3dec145c6a332b2f8","size":792},{"path":"sentence_bert_config.json","sha256":"240e64a02652b7a8c717a48cdd63afa11f807d233fb6a89b0b107090a92bc4f1","size":52},{"path":"tokenizer.json","sha256":"fb1ee9307038fa7534a1d7198c8d875e8daad2290f2ce1b3f95ad9346ed56ee8","size":3138},{"path":"tokenizer_config.json","sha256":"64c94fe493fda0f545dad8d15562ec0b52cdf7ebd28874666e980a69c4bc4426","size":199}],"made":[],"manifest":1,"max_length":16,"name":"support","parent":"","tokenizer":"fb1ee9307038fa7534a1d7198c8d875e8daad2290f2ce1b3f95ad9346ed56ee8","training_data":"","training_digest":"","variants":[{"file":"model.safetensors","format":"safetensors","note":"","profile":"","storage":"float32"}],"version":"1.0.0"}');
INSERT INTO "manifests" VALUES('9cfecab5fc034b06016b4b6bd2e6a5843a0943013f3d73c7a5233be361e7e38e','{"base_model":"","created_at":"2026-11-28T07:34:11.257861+00:00","created_by":"ada","dimension":8,"family":"bert","files":[{"path":"1_Pooling/config.json","sha256":"a1ce897edc45f7c529f4dc8d5f81d032a1c3a5266b2eea314c8d00cd73e503eb","size":71},{"path":"config.json","sha256":"427d65c2f1696d4797417b61e6c313e17dd625fea09eb66519056e436f11c9b6","size":317},{"path":"config_sentence_transformers.json","sha256":"00e0eeb76202bb089ff76eadc87419e92de9c286b45684834097d9c0ba8623ab","size":84},{"path":"model.safetensors","sha256":"f4b7ef665a460cd4d5cd4126031948c65571770660fe96fe6b7bc5cbe176bd54","size":6728},{"path":"modules.json","sha256":"84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf","size":349},{"path":"sentence_bert_config.json","sha256":"240e64a02652b7a8c717a48cdd63afa11f807d233fb6a89b0b107090a92bc4f1","size":52},{"path":"tokenizer.json","sha256":"fb1ee9307038fa7534a1d7198c8d875e8daad2290f2ce1b3f95ad9346ed56ee8","size":3138},{"path":"tokenizer_config.json","sha256":"64c94fe493fda0f545dad8d15562ec0b52cdf7ebd28874666e980a69c4bc4426","size":199}],"made":[],"manifest":1,"max_length":16,"name":"support","parent":"support@1.0.0","tokenizer":"fb1ee9307038fa7534a1d7198c8d875e8daad2290f2ce1b3f95ad9346ed56ee8","training_data":"","training_digest":"","variants":[{"file":"model.safetensors","format":"safetensors","note":"","profile":"","storage":"float32"}],"version":"1.1.0-rc.1"}');
INSERT INTO "manifests" VALUES('c5cceded969fa4cc92a4840b9cfafa8290e37a2bf27f0c3a7fc80ceb16aa97df','{"base_model":"","created_at":"2026-11-28T07:34:11.275296+00:00","created_by":"ada","dimension":8,"family":"bert","files":[{"path":"1_Pooling/config.json","sha256":"a1ce897edc45f7c529f4dc8d5f81d032a1c3a5266b2eea314c8d00cd73e503eb","size":71},{"path":"config.json","sha256":"427d65c2f1696d4797417b61e6c313e17dd625fea09eb66519056e436f11c9b6","size":317},{"path":"config_sentence_transformers.json","sha256":"00e0eeb76202bb089ff76eadc87419e92de9c286b45684834097d9c0ba8623ab","size":84},{"path":"model.safetensors","sha256":"f4b7ef665a460cd4d5cd4126031948c65571770660fe96fe6b7bc5cbe176bd54","size":6728},{"path":"modules.json","sha256":"84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf","size":349},{"path":"sentence_bert_config.json","sha256":"240e64a02652b7a8c717a48cdd63afa11f807d233fb6a89b0b107090a92bc4f1","size":52},{"path":"tokenizer.json","sha256":"fb1ee9307038fa7534a1d7198c8d875e8daad2290f2ce1b3f95ad9346ed56ee8","size":3138},{"path":"tokenizer_config.json","sha256":"64c94fe493fda0f545dad8d15562ec0b52cdf7ebd28874666e980a69c4bc4426","size":199}],"made":[],"manifest":1,"max_length":16,"name":"support","parent":"support@1.0.0","tokenizer":"fb1ee9307038fa7534a1d7198c8d875e8daad2290f2ce1b3f95ad9346ed56ee8","training_data":"","training_digest":"","variants":[{"file":"model.safetensors","format":"safetensors","note":"","profile":"","storage":"float32"}],"version":"1.1.0"}');
CREATE TABLE metrics (
	version_id INTEGER NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	value FLOAT NOT NULL, 
	CONSTRAINT pk_metrics PRIMARY KEY (version_id, name), 
	CONSTRAINT fk_metrics_version_id FOREIGN KEY(version_id) REFERENCES versions (id)
);
INSERT INTO "metrics" VALUES(1,'ndcg@10',0.42);
INSERT INTO "metrics" VALUES(3,'ndcg@10',0.5);
CREATE TABLE models (
	id INTEGER NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	folded VARCHAR(128) NOT NULL, 
	CONSTRAINT pk_models PRIMARY KEY (id), 
	CONSTRAINT uq_models_name UNIQUE (name), 
	CONSTRAINT uq_models_folded UNIQUE (folded)
);
INSERT INTO "models" VALUES(1,'support','support');
CREATE TABLE registry (
	id INTEGER NOT NULL, 
	identity VARCHAR(32) NOT NULL, 
	CONSTRAINT pk_registry PRIMARY KEY (id)
);
INSERT INTO "registry" VALUES(1,'4091fc2cad7644a2be12ab8c163b973f');
CREATE TABLE tags (
	version_id INTEGER NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_tags PRIMARY KEY (version_id, name), 
	CONSTRAINT fk_tags_version_id FOREIGN KEY(version_id) REFERENCES versions (id)
);
INSERT INTO "tags" VALUES(1,'team','search');
INSERT INTO "tags" VALUES(3,'a','b');
CREATE TABLE versions (
	id INTEGER NOT NULL, 
	model_id INTEGER NOT NULL, 
	version VARCHAR(128) NOT NULL, 
	"key" VARCHAR NOT NULL, 
	prerelease BOOLEAN NOT NULL, 
	manifest VARCHAR(64) NOT NULL, 
	parent_id INTEGER, 
	family VARCHAR(64) NOT NULL, 
	formats TEXT NOT NULL, 
	dimension INTEGER, 
	tokenizer VARCHAR(64) NOT NULL, 
	base_model TEXT NOT NULL, 
	size BIGINT NOT NULL, 
	created_at VARCHAR(40) NOT NULL, 
	created_by TEXT NOT NULL, 
	description TEXT NOT NULL, 
	domain TEXT NOT NULL, 
	licence TEXT NOT NULL, 
	deprecated TEXT, 
	deleted_at VARCHAR(40), 
	CONSTRAINT pk_versions PRIMARY KEY (id), 
	CONSTRAINT fk_versions_model_id FOREIGN KEY(model_id) REFERENCES models (id), 
	CONSTRAINT fk_versions_parent_id FOREIGN KEY(parent_id) REFERENCES versions (id), 
	CONSTRAINT fk_versions_manifest FOREIGN KEY(manifest) REFERENCES manifests (digest), 
	CONSTRAINT uq_versions_model_id UNIQUE (model_id, version), 
	CONSTRAINT uq_versions_manifest UNIQUE (id, manifest), 
	CONSTRAINT uq_versions_model UNIQUE (id, model_id)
);
INSERT INTO "versions" VALUES(1,1,'1.0.0','011 010 010 ~',0,'c8bcd53a9a06204070860475d702fc701acb6c0cdbfff772cb9a2e92a2ef7441',NULL,'bert','["safetensors"]',8,'fb1ee9307038fa7534a1d7198c8d875e8daad2290f2ce1b3f95ad9346ed56ee8','',11730,'2026-11-28T07:34:11.218671+00:00','ada','Größe, first','','',NULL,NULL);
INSERT INTO "versions" VALUES(2,1,'1.1.0-rc.1','011 011 010 1rc 0011',1,'9cfecab5fc034b06016b4b6bd2e6a5843a0943013f3d73c7a5233be361e7e38e',1,'bert','["safetensors"]',8,'fb1ee9307038fa7534a1d7198c8d875e8daad2290f2ce1b3f95ad9346ed56ee8','',10938,'2026-11-28T07:34:11.257861+00:00','ada','','','',NULL,'2026-11-28T07:34:11.339854+00:00');
INSERT INTO "versions" VALUES(3,1,'1.1.0','011 011 010 ~',0,'c5cceded969fa4cc92a4840b9cfafa8290e37a2bf27f0c3a7fc80ceb16aa97df',1,'bert','["safetensors"]',8,'fb1ee9307038fa7534a1d7198c8d875e8daad2290f2ce1b3f95ad9346ed56ee8','',10938,'2026-11-28T07:34:11.275296+00:00','ada','','chat','apache-2.0','slow',NULL);
CREATE INDEX ix_events_model ON events (model);
CREATE INDEX ix_versions_parent_id ON versions (parent_id);
CREATE INDEX ix_versions_order ON versions (model_id, prerelease, "key");
CREATE INDEX ix_files_sha256 ON files (sha256);
CREATE INDEX ix_aliases_version_id ON aliases (version_id);
CREATE INDEX ix_leases_version_id ON leases (version_id);
COMMIT;
