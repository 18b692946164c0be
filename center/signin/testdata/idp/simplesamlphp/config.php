<?php
// SimpleSAMLphp as an identity provider that signs one user in without asking.
$config = [
    'baseurlpath' => getenv('IDP_BASE') . '/',
    'certdir' => getenv('IDP_FOLDER') . '/',
    'loggingdir' => getenv('IDP_FOLDER') . '/',
    'datadir' => getenv('IDP_FOLDER') . '/',
    'tempdir' => getenv('IDP_FOLDER') . '/tmp',
    'secretsalt' => 'not a secret: a test',
    'auth.adminpassword' => 'not a secret: a test',
    'technicalcontact_email' => 'nobody@example.com',
    'timezone' => 'UTC',
    'logging.handler' => 'stderr',
    'logging.level' => SimpleSAML\Logger::WARNING,
    'enable.saml20-idp' => true,
    'module.enable' => ['exampleauth' => true, 'core' => true, 'saml' => true],
    'session.cookie.secure' => false,
    'store.type' => 'phpsession',
    'session.phpsession.savepath' => getenv('IDP_FOLDER'),
    'metadata.sources' => [['type' => 'flatfile', 'directory' => getenv('SIMPLESAMLPHP_CONFIG_DIR') . '/metadata']],
    'metadatadir' => getenv('SIMPLESAMLPHP_CONFIG_DIR') . '/metadata',
];
