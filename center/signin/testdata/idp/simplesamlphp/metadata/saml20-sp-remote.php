<?php
$metadata[getenv('SP_ENTITY')] = [
    'AssertionConsumerService' => getenv('SP_ACS'),
    'NameIDFormat' => 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress',
];
// Once the test has put the service provider's certificate here, only signed requests are taken.
$certificate = getenv('IDP_FOLDER') . '/sp.crt';
if (file_exists($certificate)) {
    $metadata[getenv('SP_ENTITY')] += ['validate.authnrequest' => true, 'certData' => file_get_contents($certificate)];
}
